"""``ray.tune.logger``: loggers of one's own; those of files are always at work."""

from __future__ import annotations

from typing import Any

from poptune.callbacks import CallbackTrial
from poptune.compat.ray._arguments import logger as log
from poptune.compat.ray._missing import refuse_names
from poptune.compat.ray.tune.callback import Callback
from poptune.loggers import tensorboard

__all__ = [
    "DEFAULT_LOGGERS",
    "CSVLoggerCallback",
    "JsonLoggerCallback",
    "LoggerCallback",
    "TBXLoggerCallback",
]

__getattr__ = refuse_names(
    __name__,
    {
        **dict.fromkeys(
            (
                "Logger",
                "UnifiedLogger",
                "NoopLogger",
                "JsonLogger",
                "CSVLogger",
                "TBXLogger",
                "LegacyLoggerCallback",
            ),
            "derive a class from tune.logger.LoggerCallback",
        ),
    },
)


class LoggerCallback(Callback, may_change_results=True):
    """A callback with a hook for each thing that a logger writes down. Trials do not wait for it."""

    synchronous = False

    def log_trial_start(self, trial: CallbackTrial) -> None:
        """See a trial start."""

    def log_trial_restore(self, trial: CallbackTrial) -> None:
        """See a trial take over a checkpoint."""

    def log_trial_save(self, trial: CallbackTrial) -> None:
        """See that a trial has saved a checkpoint."""

    def log_trial_result(self, iteration: int, trial: CallbackTrial, result: dict[str, Any]) -> None:
        """See a result."""

    def log_trial_end(self, trial: CallbackTrial, failed: bool = False) -> None:
        """See a trial end."""

    def on_trial_start(
        self, iteration: int, trials: list[CallbackTrial], trial: CallbackTrial, **info: Any
    ) -> None:
        self.log_trial_start(trial)

    def on_trial_restore(
        self, iteration: int, trials: list[CallbackTrial], trial: CallbackTrial, **info: Any
    ) -> None:
        self.log_trial_restore(trial)

    def on_trial_save(
        self, iteration: int, trials: list[CallbackTrial], trial: CallbackTrial, **info: Any
    ) -> None:
        self.log_trial_save(trial)

    def on_trial_result(
        self,
        iteration: int,
        trials: list[CallbackTrial],
        trial: CallbackTrial,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        self.log_trial_result(iteration, trial, result)

    def on_trial_complete(
        self, iteration: int, trials: list[CallbackTrial], trial: CallbackTrial, **info: Any
    ) -> None:
        self.log_trial_end(trial, failed=False)

    def on_trial_error(
        self, iteration: int, trials: list[CallbackTrial], trial: CallbackTrial, **info: Any
    ) -> None:
        self.log_trial_end(trial, failed=True)


class JsonLoggerCallback(LoggerCallback):
    """Accepted; ``result.json`` and ``params.json`` are always written."""

    def __init__(self) -> None:
        log.info("JsonLoggerCallback adds nothing: result.json and params.json are always written")


class CSVLoggerCallback(LoggerCallback):
    """Accepted; ``progress.csv`` is always written."""

    def __init__(self) -> None:
        log.info("CSVLoggerCallback adds nothing: progress.csv is always written")


class TBXLoggerCallback(LoggerCallback):
    """Accepted; event files are always written where ``tensorboard`` is installed."""

    def __init__(self) -> None:
        if tensorboard.is_installed():
            log.info("TBXLoggerCallback adds nothing: event files are always written")
        else:
            log.warning('TBXLoggerCallback writes nothing: run pip install "poptune[tensorboard]"')


DEFAULT_LOGGERS = (JsonLoggerCallback, CSVLoggerCallback, TBXLoggerCallback)
"""What is written in any case."""
