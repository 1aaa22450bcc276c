"""What became of all trials of an experiment."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poptune._base.nested import flatten, number_at
from poptune._base.types import Metrics, Mode, Objective, TrialStatus
from poptune._core.population import Trial
from poptune._keeping.journal import Objects
from poptune.errors import ConfigurationError, ExperimentError, PoptuneError
from poptune.results.frames import data_frame
from poptune.results.lineage import PopulationLineage
from poptune.results.recording import Recording
from poptune.results.result import Result, TrialError
from poptune.results.scores import (
    Scope,
    check_scope,
    metric_and_mode,
    missing_metric,
    rank,
    score,
)
from poptune.results.table import summary

if TYPE_CHECKING:
    import pandas as pd


class ResultGrid:
    """The results of an experiment, one a trial: finished, interrupted, or going on elsewhere.

    It shows the experiment as it was when the grid was made.

    Example:
        >>> results = ResultGrid.from_path("~/poptune_results/pbt_mnist")  # doctest: +SKIP
        >>> results.get_best_result().config  # doctest: +SKIP
        {'lr': 0.0217, 'momentum': 0.9}
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        """What it is read from, for other views of the same; its form may change."""
        self._results = [Result(trial, recording) for trial in recording.population.trials]

    @classmethod
    def from_path(cls, path: str | PathLike[str]) -> ResultGrid:
        """Return the results in an experiment's folder.

        Args:
            path: The folder, or the URL of a remote one.

        Raises:
            ExperimentError: It is not the folder of an experiment.
            StorageError: The remote storage fails.
        """
        return cls(Recording.open(path))

    @classmethod
    def of_run(cls, path: Path, objects: Objects) -> ResultGrid:
        """For the run itself: its results, with the config values and checkpoints that it may trust."""
        return cls(Recording.open(path, objects))

    def __len__(self) -> int:
        return len(self._results)

    def __getitem__(self, index: int) -> Result:
        return self._results[index]

    def __iter__(self) -> Iterator[Result]:
        return iter(self._results)

    @property
    def experiment_path(self) -> str:
        """The experiment's folder, or the URL of a remote one."""
        return self.recording.remote or str(self.recording.layout.root)

    @property
    def metric(self) -> str | None:
        """The metric that the experiment optimises."""
        return self.recording.created.metric

    @property
    def mode(self) -> Mode | None:
        """Whether the experiment looks for a large or a small value of its metric."""
        return self.recording.created.mode

    @property
    def errors(self) -> list[TrialError]:
        """Why trials were given up."""
        return [result.error for result in self if result.error is not None]

    @property
    def num_errors(self) -> int:
        """How many trials were given up."""
        return sum(result.status is TrialStatus.ERROR for result in self)

    @property
    def num_terminated(self) -> int:
        """How many trials ended well."""
        return sum(result.status is TrialStatus.TERMINATED for result in self)

    @property
    def lineage(self) -> PopulationLineage:
        """What all trials trained, and who copied whom."""
        history = self.recording.history
        segments = {trial.id: history.segments(trial) for trial in self.recording.population.trials}
        return PopulationLineage(segments, tuple(history.exploits), self.recording)

    def get_best_result(
        self,
        metric: str | None = None,
        mode: Mode | None = None,
        scope: Scope = "last",
        filter_nan_and_inf: bool = True,
    ) -> Result:
        """Return the trial with the best score; of equals, the first.

        By default that is the one that the progress display and the figures call the best.

        Args:
            metric: What to compare trials by; by default the experiment's metric.
            mode: ``"max"`` or ``"min"``; by default the experiment's mode.
            scope: Which of a trial's values is its score: the ``"last"``, the best of ``"all"``, or the
                average of all (``"avg"``) or of the last few (``"last-5-avg"``, ``"last-10-avg"``). Of noisy
                scores the best of all is the luckiest, and higher than the trial deserves; the checkpoint
                that is kept is the last one in any case.
            filter_nan_and_inf: Pass over a trial whose score is not finite. With ``"all"`` only the
                values that are not finite are passed over.

        Raises:
            ConfigurationError: There is no metric or mode, nobody reported this metric, or the scope is none.
            ExperimentError: No trial has a score yet, or none is finite.
        """
        check_scope(scope)
        metric, mode = metric_and_mode(self.recording.created, metric, mode)
        scored = []
        for trial, result in zip(self.recording.population.trials, self, strict=True):
            values = self._values(trial, metric, last=scope == "last")
            if filter_nan_and_inf and scope == "all":
                values = [value for value in values if math.isfinite(value)]
            amount = score(values, scope=scope, mode=mode) if values else math.nan
            if values and (math.isfinite(amount) or not filter_nan_and_inf):
                scored.append((rank(amount, mode), result))
        if not scored:
            raise self._no_score(metric)
        return max(scored, key=lambda one: one[0])[1]

    def pareto_front(self) -> list[Result]:
        """Return the trials that no other one beats in all metrics, by their last results.

        Of an experiment with one metric these are the best. Who lacks a finite value of one is passed over.

        Raises:
            ConfigurationError: The experiment optimises nothing.

        Example:
            >>> results.pareto_front()  # doctest: +SKIP
            [<Result of trial 0: ...>, <Result of trial 3: ...>]
        """
        created = self.recording.created
        objectives = created.objectives or (Objective(*metric_and_mode(created, None, None)),)
        scored = []
        for trial, result in zip(self.recording.population.trials, self, strict=True):
            metrics = self.recording.last_metrics(trial)
            values = [(number_at(metrics, each.metric), each.mode) for each in objectives]
            scores = [rank(math.nan if value is None else value, mode) for value, mode in values]
            if all(map(math.isfinite, scores)):
                scored.append((scores, result))
        every = [scores for scores, _ in scored]
        return [result for scores, result in scored if not any(_beats(other, scores) for other in every)]

    def get_dataframe(
        self, filter_metric: str | None = None, filter_mode: Mode | None = None
    ) -> pd.DataFrame:
        """Return a row a trial: a result, the config as ``config/<key>``, ``trial_id`` and ``logdir``.

        Args:
            filter_metric: Take each trial's best result by this metric; by default its last one.
            filter_mode: ``"max"`` or ``"min"``; by default the experiment's mode.

        Raises:
            ConfigurationError: Only one of the two is given, or nobody reported this metric.
            ExperimentError: Nobody reported a finite value of it.
            ImportError: pandas is not installed.
        """
        if filter_metric is None and filter_mode is not None:
            raise ConfigurationError(
                f"filter_mode goes with a filter_metric, got filter_mode={filter_mode!r} alone"
            )
        trials = self.recording.population.trials
        if filter_metric is None:
            chosen = [self.recording.last_metrics(trial) for trial in trials]
        else:
            metric, mode = metric_and_mode(self.recording.created, filter_metric, filter_mode)
            chosen = [self._best_metrics(trial, metric, mode) for trial in trials]
            if not any(chosen):
                raise self._no_score(metric)
        return data_frame(
            {
                "trial_id": result.trial_id,
                **flatten(metrics),
                **flatten(result.config, "config/"),
                "logdir": result.path,
            }
            for result, metrics in zip(self, chosen, strict=True)
        )

    def history(self) -> pd.DataFrame:
        """Return a row a result: who was trained with which config, trial by trial and in order.

        What a trial trained and gave up at an exploit is there, too; what a restart made void is not. The
        columns: ``trial`` (its number), ``iteration``, the metrics, ``config/<key>`` (what the iteration was
        trained with), ``generation`` (how many copies lie before its state) and ``donor`` (the number of the
        trial that it copied last, or none).

        Raises:
            ImportError: pandas is not installed.

        Example:
            >>> frame = results.history()  # doctest: +SKIP
            >>> frame.pivot(index="time_total_s", columns="trial", values="config/lr")  # doctest: +SKIP
        """
        frame = data_frame(self._rows())
        if "donor" in frame:
            frame["donor"] = frame["donor"].astype("Int64")
        return frame

    def _rows(self) -> Iterator[dict[str, Any]]:
        trials, lineage = self.recording.population, self.lineage
        for trial in trials.trials:
            donor: int | None = None
            segments = lineage.segments[trial.id]
            for segment, results in zip(segments, lineage.results(trial.id), strict=True):
                donor = donor if segment.donor is None else trials[segment.donor].index
                config = flatten(segment.config, "config/")
                for result in results:
                    names = {"trial": trial.index, "iteration": result.iteration}
                    after = {"generation": segment.generation, "donor": donor}
                    yield {**names, **flatten(result.metrics), **config, **after, **names}

    def _values(self, trial: Trial, metric: str, *, last: bool) -> list[float]:
        """Return the values that a trial reported, in order; with ``last`` perhaps the last one alone."""
        value = number_at(self.recording.last_metrics(trial), metric) if last else None
        if value is not None:
            return [value]
        values = (number_at(one.metrics, metric) for one in self.recording.valid_results(trial))
        return [value for value in values if value is not None]

    def _best_metrics(self, trial: Trial, metric: str, mode: Mode) -> Metrics:
        """Return the metrics of a trial's best result; none if no value of it is finite."""
        ranked = [
            (rank(value, mode), result.metrics)
            for result in self.recording.valid_results(trial)
            if (value := number_at(result.metrics, metric)) is not None and math.isfinite(value)
        ]
        return max(ranked, key=lambda one: one[0])[1] if ranked else {}

    def _no_score(self, metric: str) -> PoptuneError:
        reported: dict[str, None] = {}
        for trial in self.recording.population.trials:
            metrics = self.recording.last_metrics(trial)
            reported |= dict.fromkeys(key for key in flatten(metrics) if number_at(metrics, key) is not None)
        if not reported:
            return ExperimentError(f"No trial of {self.experiment_path} has reported a result yet")
        if metric not in reported:
            return missing_metric(metric, reported)
        return ExperimentError(
            f"A finite {metric!r} is needed, but no trial of {self.experiment_path} has one: rank by another "
            'metric, by scope="all", or say filter_nan_and_inf=False'
        )

    def __repr__(self) -> str:
        return summary(self.recording)


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether scores are at least as good as others in each metric, and better in one."""
    return one != other and all(mine >= theirs for mine, theirs in zip(one, other, strict=True))
