"""What became of one trial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poptune._base.arguments import nearest
from poptune._base.copies import copied
from poptune._base.nested import number_at
from poptune._base.types import Config, Mode, TrialId, TrialStatus
from poptune._core.population import Trial
from poptune._core.schedule import Schedule
from poptune._core.scheduler import CheckpointRef
from poptune._keeping.checkpoints import Checkpoint
from poptune._keeping.storage import local_path, remote_url
from poptune.errors import ExperimentError, PoptuneError
from poptune.results.frames import metrics_frame
from poptune.results.lineage import Lineage
from poptune.results.recording import Recording
from poptune.results.scores import metric_and_mode, missing_metric, rank

if TYPE_CHECKING:
    import pandas as pd


class TrialError(PoptuneError):
    """Why a trial failed: the traceback, as it was recorded."""


class Result:
    """One trial of an experiment, as far as it has got.

    Made by :class:`ResultGrid`, or by :meth:`from_path`. No code of the experiment is run: config values
    that are no plain data, such as classes, appear as what they print as.
    """

    def __init__(self, trial: Trial, recording: Recording) -> None:
        self._trial = trial
        self._recording = recording

    @classmethod
    def from_path(cls, path: str | PathLike[str]) -> Result:
        """Return the result of the trial with this folder, which may be the URL of a remote one.

        Raises:
            ExperimentError: It is not the folder of a trial in that of an experiment.
        """
        experiment, _, name = (remote_url(path) or str(local_path(path))).rpartition("/")
        recording = Recording.open(experiment)
        trials = {trial.spec.folder: trial for trial in recording.population.trials}
        if name not in trials:
            raise ExperimentError(
                f"The folder of a trial is needed, but {experiment} has no trial "
                f"{name!r}{nearest(name, trials) or ': it has ' + ', '.join(trials)}"
            )
        return cls(trials[name], recording)

    @property
    def trial_id(self) -> TrialId:
        """The trial's name."""
        return self._trial.id

    @property
    def tag(self) -> str:
        """The trial's index and what was sampled for it."""
        return self._trial.spec.tag

    @property
    def status(self) -> TrialStatus:
        """Where the trial stands; one that can still go on is PENDING, since no process of it is known."""
        return self._trial.status

    @property
    def metric(self) -> str | None:
        """The metric that the experiment optimises."""
        return self._recording.created.metric

    @property
    def path(self) -> str:
        """The trial's folder on this machine."""
        return str(self.log_dir)

    @property
    def log_dir(self) -> Path:
        """The trial's folder on this machine. That of a remote trial has here what was fetched of it."""
        return self._recording.layout.trial(self._trial.spec.folder)

    @property
    def config(self) -> Config:
        """The trial's config at the end, a copy of one's own."""
        return copied(self._trial.config)

    @property
    def error(self) -> TrialError | None:
        """Why the trial was given up; None where it was not, even if it failed and was retried."""
        return TrialError(self._trial.error) if self.status is TrialStatus.ERROR else None

    @property
    def metrics(self) -> dict[str, Any]:
        """The last valid result, and the config under ``"config"``."""
        return {**copied(self._recording.last_metrics(self._trial)), "config": self.config}

    @property
    def metrics_dataframe(self) -> pd.DataFrame:
        """What the trial reported, in order; nested metrics as ``outer/inner``.

        At an exploit the iterations go on from the donor's. ``lineage.metrics_dataframe`` is the curve of
        the state that the trial ended with.
        """
        return metrics_frame(self._recording.valid_results(self._trial))

    @property
    def lineage(self) -> Lineage:
        """How the state that the trial ended with came about."""
        return Lineage(self._recording.history.ancestry(self._trial), self._recording)

    @property
    def schedule(self) -> Schedule:
        """The config over the iterations of the lineage."""
        return self.lineage.schedule

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The newest checkpoint of the state that the trial ended with, perhaps saved by a donor.

        Raises:
            CheckpointError: It was deleted, or is corrupt.
        """
        ref = self._trial.checkpoint
        return None if ref is None else self._recording.checkpoint(ref)

    @property
    def best_checkpoints(self) -> list[tuple[Checkpoint, dict[str, Any]]]:
        """The trial's own checkpoints that are kept, the oldest first, each with the result it came with."""
        return [(self._recording.checkpoint(ref), metrics) for ref, metrics in self._saved()]

    def get_best_checkpoint(self, metric: str | None = None, mode: Mode | None = None) -> Checkpoint | None:
        """Return the best of the trial's own checkpoints that are kept, or None if none is.

        Args:
            metric: What to compare them by; by default the experiment's metric.
            mode: ``"max"`` or ``"min"``; by default the experiment's mode.

        Raises:
            ConfigurationError: There is no metric or mode, or no checkpoint has a number for it.
        """
        metric, mode = metric_and_mode(self._recording.created, metric, mode)
        saved = self._saved()
        scored = [
            (rank(value, mode), ref)
            for ref, metrics in saved
            if (value := number_at(metrics, metric)) is not None and math.isfinite(value)
        ]
        if scored:
            return self._recording.checkpoint(max(scored, key=lambda one: one[0])[1])
        if saved:
            raise missing_metric(metric, {key for _, metrics in saved for key in metrics})
        return None

    def _saved(self) -> Sequence[tuple[CheckpointRef, dict[str, Any]]]:
        saved = {ref.report: ref for ref in self._trial.saved}
        results = enumerate(self._recording.all_results(self._trial) if saved else (), start=1)
        return [(saved[number], dict(one.metrics)) for number, one in results if number in saved]

    def __eq__(self, other: object) -> bool:
        """Whether both are of the same trial, perhaps as it was at different times."""
        if not isinstance(other, Result):
            return NotImplemented
        return (self.trial_id, self.path) == (other.trial_id, other.path)

    def __hash__(self) -> int:
        return hash((self.trial_id, self.path))

    def __repr__(self) -> str:
        trial = self._trial
        return f"<Result of trial {trial.index}: {self.status}, {trial.iteration} iterations, {self.path}>"
