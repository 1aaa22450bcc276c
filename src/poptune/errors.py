"""The exceptions of poptune, grouped by what the caller can do about them.

Each message states what is required, what was received, and how to mend it, in that order.
"""

from __future__ import annotations

from typing import Any


class PoptuneError(Exception):
    """Base of everything that poptune raises on purpose."""


class ConfigurationError(PoptuneError, ValueError):
    """An argument is wrong. Nothing has started: change the call and call again."""


class ExperimentError(PoptuneError):
    """An experiment's folder does not allow what was asked: restore it, or choose another."""


class TrainableError(PoptuneError):
    """The training code broke its contract with poptune: mend the training code."""


class TrainingCodeError(TrainableError):
    """The training code cannot work as it is, in any trial: the run ends when it is sure. Mend the code."""


class CheckpointError(PoptuneError):
    """A checkpoint cannot be written or read."""


class CorruptCheckpointError(CheckpointError):
    """A checkpoint's files are missing or are not those that were written: use another checkpoint."""


class UntrustedCheckpointError(CheckpointError):
    """A checkpoint holds pickled objects, which run code when opened: say ``trusted=True`` to trust it."""


class JournalError(PoptuneError):
    """The journal cannot be written or read."""


class StorageError(PoptuneError):
    """A remote storage cannot be reached, or refuses: what is on this machine is safe."""


class ExecutorError(PoptuneError):
    """Workers cannot be started or have been lost."""


class SchedulerError(PoptuneError):
    """A scheduler has decided what cannot be carried out: mend its ``decide``. Nothing of it was recorded."""


class AllTrialsFailedError(ExperimentError):
    """Every trial has failed, or was ended without a result since it would have: ``results`` has them.

    Args:
        message: What has happened.
        results: The :class:`ResultGrid`.
    """

    def __init__(self, message: str, results: Any) -> None:
        super().__init__(message)
        self.results = results


class InternalError(PoptuneError):
    """Something happened that cannot happen: please report it, with this message."""


class PoptuneWarning(UserWarning):
    """Something that works, but probably not as it was meant."""


class EndedWarning(PoptuneWarning):
    """An experiment was to go on in which nothing is left to train: say what is to be trained further.

    Args:
        message: What to say of it in Python.
        path: Where the experiment is.
        num_errors: How many of its trials have failed.
    """

    def __init__(self, message: str, path: str, num_errors: int) -> None:
        super().__init__(message)
        self.path = path
        self.num_errors = num_errors
