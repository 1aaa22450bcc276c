"""``ray.tune.analysis``: what ``tune.run`` returns."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

from poptune.arguments import reject_unknown_keywords
from poptune.compat.ray._checkpoint import Checkpoint
from poptune.compat.ray.tune.result_grid import Result, ResultGrid
from poptune.results.scores import Scope
from poptune.types import Config, Mode

if TYPE_CHECKING:
    import pandas as pd


@reject_unknown_keywords
class ExperimentAnalysis:
    """The results of an experiment, which is read from its folder.

    Args:
        experiment_checkpoint_path: The experiment's folder, or its results.
        default_metric: What to compare trials by; by default the experiment's metric.
        default_mode: ``"max"`` or ``"min"``; by default the experiment's mode.
    """

    def __init__(
        self,
        experiment_checkpoint_path: str | PathLike[str] | ResultGrid,
        *,
        default_metric: str | None = None,
        default_mode: Mode | None = None,
    ) -> None:
        source = experiment_checkpoint_path
        grid = source if isinstance(source, ResultGrid) else ResultGrid.of(ResultGrid.from_path(source))
        self._grid = grid
        self.default_metric = default_metric or grid.metric
        self.default_mode = default_mode or grid.mode

    @property
    def trials(self) -> list[Result]:
        """All trials."""
        return [result for result in self._grid if isinstance(result, Result)]

    @property
    def experiment_path(self) -> str:
        """The experiment's folder."""
        return self._grid.experiment_path

    def get_best_trial(
        self,
        metric: str | None = None,
        mode: Mode | None = None,
        scope: Scope = "last",
        filter_nan_and_inf: bool = True,
    ) -> Result:
        """Return the trial with the best score."""
        best = self._grid.get_best_result(
            metric or self.default_metric, mode or self.default_mode, scope, filter_nan_and_inf
        )
        assert isinstance(best, Result)
        return best

    def get_best_config(
        self, metric: str | None = None, mode: Mode | None = None, scope: Scope = "last"
    ) -> Config:
        """Return the config of the best trial."""
        return self.get_best_trial(metric, mode, scope).config

    def get_best_logdir(
        self, metric: str | None = None, mode: Mode | None = None, scope: Scope = "last"
    ) -> str:
        """Return the folder of the best trial."""
        return self.get_best_trial(metric, mode, scope).path

    def get_best_checkpoint(
        self, trial: Result, metric: str | None = None, mode: Mode | None = None
    ) -> Checkpoint | None:
        """Return the best of a trial's checkpoints."""
        return trial.get_best_checkpoint(metric or self.default_metric, mode or self.default_mode)

    def get_last_checkpoint(self, trial: Result | None = None) -> Checkpoint | None:
        """Return the newest checkpoint of a trial; by default of the best one."""
        return (trial or self.best_trial).checkpoint

    def get_all_configs(self) -> dict[str, Config]:
        """Return the configs by trial."""
        return {trial.trial_id: trial.config for trial in self.trials}

    @property
    def best_trial(self) -> Result:
        """The best trial."""
        return self.get_best_trial()

    @property
    def best_config(self) -> Config:
        """The config of the best trial."""
        return self.best_trial.config

    @property
    def best_logdir(self) -> str:
        """The folder of the best trial."""
        return self.best_trial.path

    @property
    def best_result(self) -> dict[str, Any]:
        """The last result of the best trial."""
        return self.best_trial.metrics

    @property
    def best_checkpoint(self) -> Checkpoint | None:
        """The best checkpoint of the best trial."""
        return self.get_best_checkpoint(self.best_trial)

    @property
    def best_dataframe(self) -> pd.DataFrame:
        """All results of the best trial."""
        return self.best_trial.metrics_dataframe

    @property
    def results(self) -> dict[str, dict[str, Any]]:
        """The last results by trial."""
        return {trial.trial_id: trial.metrics for trial in self.trials}

    @property
    def results_df(self) -> pd.DataFrame:
        """The last results, a row a trial, indexed by its id."""
        return self.dataframe().set_index("trial_id")

    @property
    def trial_dataframes(self) -> dict[str, pd.DataFrame]:
        """All results by trial."""
        return {trial.trial_id: trial.metrics_dataframe for trial in self.trials}

    def dataframe(self, metric: str | None = None, mode: Mode | None = None) -> pd.DataFrame:
        """Return a row a trial: its last result, or its best one by a metric."""
        return self._grid.get_dataframe(metric, mode)
