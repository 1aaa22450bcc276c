"""``ray.tune.result_grid``: results, also by the names that Ray gives to a trial's properties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import poptune
from poptune.compat.ray._checkpoint import Checkpoint, of_native
from poptune.nested import flatten
from poptune.results.frames import data_frame
from poptune.results.lineage import PopulationLineage
from poptune.results.recording import Recording
from poptune.results.scores import Scope
from poptune.types import Mode

if TYPE_CHECKING:
    import pandas as pd


class Result(poptune.Result):
    """As :class:`poptune.Result`; it is the trial of an ``ExperimentAnalysis``, too."""

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
    def checkpoint(self) -> Checkpoint | None:  # type: ignore[override]  # the same in Ray's form
        """The newest checkpoint of the state that the trial ended with."""
        return of_native(super().checkpoint)

    @property
    def best_checkpoints(self) -> list[tuple[Checkpoint, dict[str, Any]]]:  # type: ignore[override]
        """The trial's own checkpoints that are kept, the oldest first, each with the result it came with."""
        return [(Checkpoint.from_native(native), metrics) for native, metrics in super().best_checkpoints]

    def get_best_checkpoint(  # type: ignore[override]
        self, metric: str | None = None, mode: Mode | None = None
    ) -> Checkpoint | None:
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

    @property
    def experiment_tag(self) -> str:
        """The trial's index and what was sampled for it."""
        return self.tag


class ResultGrid(poptune.ResultGrid):
    """As :class:`poptune.ResultGrid`."""

    def __init__(self, recording: Recording) -> None:
        super().__init__(recording)
        self._results = [Result(trial, recording) for trial in recording.population.trials]

    @classmethod
    def of(cls, grid: poptune.ResultGrid) -> ResultGrid:
        """Return the same results."""
        return grid if isinstance(grid, cls) else cls(grid._recording)  # noqa: SLF001 - a view of the same

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
