"""The functions that training code calls: they find the session that the code runs in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from poptune._base.types import Config
from poptune._keeping.checkpoints import Checkpoint
from poptune._training.configs import own_copy
from poptune._training.session import Session
from poptune.errors import TrainableError

if TYPE_CHECKING:
    import numpy as np

_current: Session | None = None


def enter(session: Session | None) -> None:
    """Make this the session that the training code of this process speaks through."""
    global _current  # noqa: PLW0603 - a process runs the code of one trial at a time
    _current = session


def running() -> Session | None:
    """Return the session of the running trial, if one runs."""
    return _current


def session(asker: str) -> Session:
    """Return the session of the running trial.

    Args:
        asker: Who needs it, for the error if there is none.
    """
    if _current is None:
        raise TrainableError(
            f"{asker} works inside a trial only, and no trial runs here: pass the function to "
            "tune.Tuner(function).fit(), which calls it"
        )
    return _current


def report(metrics: Mapping[str, Any], *, checkpoint: Checkpoint | None = None) -> None:
    """Report one result of the trial, and save its state if a checkpoint is given.

    At a milestone the call returns only when the scheduler has decided that the trial goes on; if it is to
    copy another or to end, the training function is left from within this call (by an exception derived
    from ``BaseException``) and, for a copy, entered anew with the donor's checkpoint. Between milestones
    the call does not wait.

    Args:
        metrics: Names and values; numbers (also of numpy and 0-d tensors), strings, None, lists and dicts
            of these. ``training_iteration``, ``time_total_s`` and others are added.
        checkpoint: The state to save. It is on disk when the call returns, so live objects such as a
            ``state_dict()`` may change afterwards.

    Raises:
        TrainableError: Called outside a trial, or in a child process of one; a value cannot be kept; the
            metric or the time attribute that the scheduler reads is missing.
        CheckpointError: The checkpoint cannot be written.

    Example:
        >>> import poptune as tune
        >>> def train(config):
        ...     for step in range(3):
        ...         tune.report({"loss": config["lr"] / (step + 1)})
    """
    mine = _current or session("report()")
    if mine.pid != os.getpid():
        raise TrainableError(
            f"report() works in the process that trains the trial, {mine.pid}, but a child of it, "
            f"{os.getpid()}, has called it: hand the metrics to the trial's own process, for example by a "
            "multiprocessing.Queue, and report them there"
        )
    if mine.before_report is not None:
        mine.before_report(checkpoint)
    mine.report(metrics, checkpoint)


def get_checkpoint() -> Checkpoint | None:
    """Return the state that the trial goes on from, or ``None`` if it starts afresh.

    Raises:
        TrainableError: Called outside a trial.

    Example:
        >>> import poptune as tune
        >>> def train(config):
        ...     step = 0
        ...     if checkpoint := tune.get_checkpoint():
        ...         step = checkpoint.to_dict()["step"]
    """
    return session("get_checkpoint()").checkpoint()


def get_config() -> Config:
    """Return the running trial's config as it is now, as a copy.

    It differs from the dict that a training function was called with where hyperparameters move while the
    trial trains (a *course*): a function that asks between its milestones has their present values. In a loop
    over :func:`steps`, and in the class form, the config itself is kept up to date.

    Raises:
        TrainableError: Called outside a trial.

    Example:
        >>> import poptune as tune
        >>> def train(config):
        ...     for step in range(3):
        ...         tune.report({"loss": tune.get_config()["lr"] / (step + 1)})
    """
    return own_copy(session("get_config()").present_config())


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialContext:
    """Who and where the running trial is."""

    trial_id: str
    trial_index: int
    """The trial's number, from 0: what tables and messages call it by."""
    trial_name: str
    trial_tag: str
    trial_dir: str
    experiment_name: str
    experiment_path: str
    seed: int
    """For the trial's own random numbers: of its own for each trial, and for each state that it goes on from;
    below 2**32, and the same again in a run with the same seed."""
    trial_resources: Mapping[str, float]

    def __hash__(self) -> int:
        return hash((self.experiment_path, self.trial_id, self.seed))

    def rng(self) -> np.random.Generator:
        """Return a numpy generator of the trial's own random numbers, made from :attr:`seed`.

        It is the same each time it is asked for, so ask once, where the training begins.

        Example:
            >>> import poptune as tune
            >>> def train(config):
            ...     rng = tune.get_context().rng()
            ...     tune.report({"loss": rng.random()})
        """
        import numpy as np

        return np.random.default_rng(self.seed)

    def get_trial_id(self) -> str:
        """Return the trial's id, such as ``69158_00000``."""
        return self.trial_id

    def get_trial_name(self) -> str:
        """Return the trial's name, such as ``train_convnet_69158_00000``."""
        return self.trial_name

    def get_trial_dir(self) -> str:
        """Return the path of the trial's folder."""
        return self.trial_dir

    def get_trial_resources(self) -> Mapping[str, float]:
        """Return what one trial may use, such as ``{"cpu": 1}``."""
        return self.trial_resources

    def get_experiment_name(self) -> str:
        """Return the experiment's name."""
        return self.experiment_name


def get_context() -> TrialContext:
    """Return who and where the running trial is.

    Raises:
        TrainableError: Called outside a trial.

    Example:
        >>> import poptune as tune
        >>> def train(config):
        ...     print(tune.get_context().get_trial_name())
    """
    here = session("get_context()")
    assignment = here.assignment
    return TrialContext(
        trial_id=assignment.trial,
        trial_index=assignment.index,
        trial_name=assignment.name,
        trial_tag=assignment.tag,
        trial_dir=str(here.folder),
        experiment_name=here.terms.experiment_name,
        experiment_path=here.terms.experiment_path,
        seed=assignment.seed,
        trial_resources=here.terms.resources,
    )
