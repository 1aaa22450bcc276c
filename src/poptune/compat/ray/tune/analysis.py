"""``ray.tune.analysis``: what ``tune.run`` returns."""

from __future__ import annotations

from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from poptune._base.arguments import nearest, reject_unknown_keywords
from poptune._base.nested import flatten
from poptune._base.types import Config, Mode
from poptune.compat.ray._arguments import logger
from poptune.compat.ray._checkpoint import Checkpoint
from poptune.compat.ray.tune.result_grid import AnalysedTrial, Result, ResultGrid
from poptune.errors import ConfigurationError, ExperimentError
from poptune.results.scores import Scope

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
        self.grid = source if isinstance(source, ResultGrid) else ResultGrid.of(ResultGrid.from_path(source))
        self.default_metric = default_metric or self.grid.metric
        self.default_mode = default_mode or self.grid.mode
        self.trials = self.grid.trials
        """All trials."""

    @property
    def experiment_path(self) -> str:
        """The experiment's folder."""
        return self.grid.experiment_path

    def get_best_trial(
        self,
        metric: str | None = None,
        mode: Mode | None = None,
        scope: Scope = "last",
        filter_nan_and_inf: bool = True,
    ) -> AnalysedTrial | None:
        """Return the trial with the best score; None, with a line in the log, where there is no score."""
        metric, mode = metric or self.default_metric, mode or self.default_mode
        is_known = len(self.trials) == 1 or self._knows(metric)
        try:
            best = self.grid.get_best_result(metric, mode, scope, filter_nan_and_inf)
        except ExperimentError as error:
            logger.warning("There is no best trial: %s", error)
            return None
        except ConfigurationError as error:
            if is_known or metric is None or mode is None:
                raise
            logger.warning("There is no best trial: %s", error)
            return None
        return next(trial for trial in self.trials if trial.trial_id == best.trial_id)

    def _knows(self, metric: str | None) -> bool:
        return any(metric in trial.metric_analysis for trial in self.trials)

    def _best(self) -> AnalysedTrial:
        best = self.best_trial
        if best is None:
            raise ExperimentError(
                f"The best trial is needed, but there is none by metric={self.default_metric!r} and "
                f"mode={self.default_mode!r}: name a metric that trials have reported as a finite number"
            )
        return best

    def get_best_config(
        self, metric: str | None = None, mode: Mode | None = None, scope: Scope = "last"
    ) -> Config | None:
        """Return the config of the best trial, or None if there is none."""
        best = self.get_best_trial(metric, mode, scope)
        return None if best is None else best.config

    def get_best_logdir(
        self, metric: str | None = None, mode: Mode | None = None, scope: Scope = "last"
    ) -> str | None:
        """Return the folder of the best trial, or None if there is none."""
        best = self.get_best_trial(metric, mode, scope)
        return None if best is None else best.path

    def get_best_checkpoint(
        self, trial: Result | str | PathLike[str], metric: str | None = None, mode: Mode | None = None
    ) -> Checkpoint | None:
        """Return the best of a trial's checkpoints; a trial may be named by its folder."""
        if not isinstance(trial, Result):
            trial = self._trial_in(trial)
        return trial.get_best_checkpoint(metric or self.default_metric, mode or self.default_mode)

    def _trial_in(self, folder: str | PathLike[str]) -> Result:
        by_folder = {trial.path: trial for trial in self.trials}
        if fspath(folder) not in by_folder:
            raise ExperimentError(
                f"A trial or its folder is needed, got {fspath(folder)!r}{nearest(fspath(folder), by_folder)}"
            )
        return by_folder[fspath(folder)]

    def get_last_checkpoint(
        self, trial: Result | None = None, metric: str = "training_iteration", mode: Mode = "max"
    ) -> Checkpoint | None:
        """Return the newest checkpoint of a trial; by default of the best one by a metric."""
        chosen = trial or self.get_best_trial(metric, mode)
        return None if chosen is None else chosen.checkpoint

    def get_all_configs(self, prefix: bool = False) -> dict[str, Config]:
        """Return the configs by trial; with ``prefix`` their keys as ``config/<key>``."""
        return {
            trial.trial_id: flatten(trial.config, "config/") if prefix else trial.config
            for trial in self.trials
        }

    @property
    def best_trial(self) -> AnalysedTrial | None:
        """The best trial, or None if there is none."""
        return self.get_best_trial()

    @property
    def best_config(self) -> Config | None:
        """The config of the best trial, or None if there is none."""
        return self.get_best_config()

    @property
    def best_logdir(self) -> str:
        """The folder of the best trial."""
        return self._best().path

    @property
    def best_result(self) -> dict[str, Any]:
        """The last result of the best trial."""
        return self._best().metrics

    @property
    def best_result_df(self) -> pd.DataFrame:
        """The last result of the best trial, as a frame of one row, indexed by its id."""
        import pandas as pd

        return pd.DataFrame.from_records([flatten(self.best_result)], index="trial_id")

    @property
    def best_checkpoint(self) -> Checkpoint | None:
        """The best checkpoint of the best trial."""
        return self.get_best_checkpoint(self._best())

    @property
    def best_dataframe(self) -> pd.DataFrame:
        """All results of the best trial."""
        return self._best().metrics_dataframe

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
        """Return a row a trial: its last result; with a metric and a mode, its best one by these."""
        if metric is not None and mode is None:
            metric = None
        return self.grid.get_dataframe(metric, mode)
