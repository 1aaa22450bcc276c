"""``ray.tune.result_grid``: results, also by the names that Ray gives to a trial's properties."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import fmean
from typing import TYPE_CHECKING, Any, Protocol

import poptune
from poptune._base.nested import flatten
from poptune._base.types import Metrics, Mode, TrialStatus
from poptune._core.trial_spec import TrialSpec
from poptune.compat.ray._checkpoint import Checkpoint, of_native
from poptune.compat.ray.tune.error import TrialFailureError, trial_failure
from poptune.compat.ray.tune.experiment import Trial
from poptune.results.frames import data_frame
from poptune.results.lineage import PopulationLineage
from poptune.results.recording import Recording
from poptune.results.scores import Scope

if TYPE_CHECKING:
    import pandas as pd


class Result(poptune.Result):
    """As :class:`poptune.Result`; its error is of the type that the training raised."""

    @property
    def error(self) -> TrialFailureError | None:
        """Why the trial was given up; None where it was not."""
        native = super().error
        return None if native is None else trial_failure(str(native))

    @property
    def metrics_dataframe(self) -> pd.DataFrame:
        """What the trial reported, in order, and in ``config/<key>`` the config that it had then."""
        segments = self._recording.history.segments(self._trial)
        lineage = PopulationLineage({self.trial_id: segments}, (), self._recording)
        return data_frame(
            {**flatten(result.metrics), **flatten(segment.config, "config/")}
            for segment, results in zip(segments, lineage.results(self.trial_id), strict=True)
            for result in results
        )

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The newest checkpoint of the state that the trial ended with."""
        return of_native(super().checkpoint)

    @property
    def best_checkpoints(self) -> list[tuple[Checkpoint, dict[str, Any]]]:
        """The trial's own checkpoints that are kept, the oldest first, each with the result it came with."""
        return [(Checkpoint.from_native(native), metrics) for native, metrics in super().best_checkpoints]

    def get_best_checkpoint(self, metric: str | None = None, mode: Mode | None = None) -> Checkpoint | None:
        """Return the best of the trial's own checkpoints that are kept, or None if none is."""
        return of_native(super().get_best_checkpoint(metric, mode))

    @property
    def last_result(self) -> dict[str, Any]:
        """The last result, and the config under ``"config"``."""
        return self.metrics

    @property
    def logdir(self) -> str:
        """The trial's folder."""
        return self.path

    @property
    def local_path(self) -> str:
        """The trial's folder."""
        return self.path


class AnalysedTrial(Trial, Result):
    """The trial of an ``ExperimentAnalysis``: a result by the names of a trial."""

    @property
    def _spec(self) -> TrialSpec:
        return self._trial.spec

    @property
    def trainable_name(self) -> str:
        return self._recording.created.trainable

    def is_finished(self) -> bool:
        """Return whether it trains no further."""
        return not self.status.is_live

    @property
    def error_file(self) -> str | None:
        """The file with its whole error, if it was given up."""
        folder = self._spec.folder
        return str(self._recording.layout.error(folder)) if self.status is TrialStatus.ERROR else None

    @property
    def metric_analysis(self) -> dict[str, dict[str, float]]:
        """Of each metric that is a number the least, largest and last value, and averages."""
        return metric_analysis(result.metrics for result in self._recording.valid_results(self._trial))


class HasGrid(Protocol):
    """An analysis, which has its results in a grid."""

    @property
    def grid(self) -> ResultGrid: ...


class ResultGrid(poptune.ResultGrid):
    """As :class:`poptune.ResultGrid`; may be made from an ``ExperimentAnalysis``."""

    def __init__(self, experiment_analysis: Recording | HasGrid | poptune.ResultGrid) -> None:
        recording = _recording_of(experiment_analysis)
        super().__init__(recording)
        self._results = [Result(trial, recording) for trial in recording.population.trials]

    @property
    def trials(self) -> list[AnalysedTrial]:
        """The results by the names of trials."""
        return [AnalysedTrial(trial, self.recording) for trial in self.recording.population.trials]

    @classmethod
    def of(cls, grid: poptune.ResultGrid) -> ResultGrid:
        """Return the same results."""
        return grid if isinstance(grid, cls) else cls(grid)

    def get_best_result(
        self,
        metric: str | None = None,
        mode: Mode | None = None,
        scope: Scope = "last",
        filter_nan_and_inf: bool = True,
    ) -> poptune.Result:
        """Return the trial with the best score; the only one, if there is one only, needs no metric."""
        if len(self) == 1:
            return self[0]
        return super().get_best_result(metric, mode, scope, filter_nan_and_inf)


def _recording_of(source: Recording | HasGrid | poptune.ResultGrid) -> Recording:
    if isinstance(source, Recording):
        return source
    grid = source if isinstance(source, poptune.ResultGrid) else source.grid
    return grid.recording


def metric_analysis(results: Iterable[Metrics]) -> dict[str, dict[str, float]]:
    """Return, for each metric that is a number, what becomes of its values in order.

    Example:
        >>> metric_analysis([{"loss": 3.0}, {"loss": 1.0}])["loss"]["min"]
        1.0
    """
    values: dict[str, list[float]] = {}
    for metrics in results:
        for key, value in flatten(metrics).items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                values.setdefault(key, []).append(value)
    return {
        key: {
            "max": max(seen),
            "min": min(seen),
            "avg": fmean(seen),
            "last": seen[-1],
            "last-5-avg": fmean(seen[-5:]),
            "last-10-avg": fmean(seen[-10:]),
        }
        for key, seen in values.items()
    }
