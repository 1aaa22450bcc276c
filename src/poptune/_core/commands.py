"""What the machine asks the controller to do, after the events that explain it are in the journal.

Each carries the trial's incarnation, so that doing it twice, or too late, is seen and harmless.
"""

from __future__ import annotations

from msgspec import Struct

from poptune._base.course import Course
from poptune._base.types import Config, TrialId
from poptune._core.population import Trial
from poptune._core.scheduler import CheckpointRef


class Start(Struct, frozen=True, kw_only=True):
    """Enter the trial's training code anew, in any worker (for a resident trial: in its own)."""

    trial: TrialId
    incarnation: int
    config: Config
    checkpoint: CheckpointRef | None
    until: float | None
    next_save: int
    """Number of the trial's next checkpoint."""
    donor_config: Config | None = None
    """What the checkpoint was trained with, if ``config`` is new with it."""
    course: Course | None = None
    """How the config moves from there."""
    resident: bool
    """Whether the trial is suspended in a worker now, and goes on from ``checkpoint`` there."""


class Proceed(Struct, frozen=True, kw_only=True):
    """Let a trial that waits inside ``report()`` go on with the state it has."""

    trial: TrialId
    incarnation: int
    until: float | None
    config: Config | None = None
    """What it is to go on with, if that is new. Code that cannot take it is heard of as ``Declined``."""
    course: Course | None = None
    """How that moves."""


class Release(Struct, frozen=True, kw_only=True):
    """Have a trial's training code left, and its worker freed."""

    trial: TrialId


class Delete(Struct, frozen=True, kw_only=True):
    """Remove a checkpoint that nothing needs any more."""

    checkpoint: CheckpointRef


class Warn(Struct, frozen=True, kw_only=True):
    """Tell the user."""

    message: str


Command = Start | Proceed | Release | Delete | Warn


def starting(trial: Trial, *, resident: bool) -> Start:
    """Return the command that has a trial's code entered, from where the trial stands."""
    return Start(
        trial=trial.id,
        incarnation=trial.incarnation,
        config=trial.config,
        checkpoint=trial.checkpoint,
        donor_config=trial.donor_config,
        course=trial.course,
        until=trial.run.until,
        next_save=trial.saves + 1,
        resident=resident,
    )


def proceeding(trial: Trial, *, with_config: bool) -> Proceed:
    """Return the command that lets a trial go on, with its config if the code does not know that yet."""
    return Proceed(
        trial=trial.id,
        incarnation=trial.incarnation,
        until=trial.run.until,
        config=trial.config if with_config else None,
        course=trial.course if with_config else None,
    )
