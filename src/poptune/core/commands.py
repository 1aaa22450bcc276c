"""What the machine asks the controller to do, after the events that explain it are in the journal.

Each carries the trial's incarnation, so that doing it twice, or too late, is seen and harmless.
"""

from __future__ import annotations

from msgspec import Struct

from poptune.core.scheduler import CheckpointRef
from poptune.types import Config, TrialId


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
    resident: bool
    """Whether the trial is suspended in a worker now, and goes on from ``checkpoint`` there."""


class Proceed(Struct, frozen=True, kw_only=True):
    """Let a trial that waits inside ``report()`` go on with the state it has."""

    trial: TrialId
    incarnation: int
    until: float | None
    config: Config | None = None
    """What it is to go on with, if that is new. Code that cannot take it is heard of as ``Declined``."""


class Release(Struct, frozen=True, kw_only=True):
    """Unwind a trial's training code and free its worker."""

    trial: TrialId


class Delete(Struct, frozen=True, kw_only=True):
    """Remove a checkpoint that nothing needs any more."""

    checkpoint: CheckpointRef


class Warn(Struct, frozen=True, kw_only=True):
    """Tell the user."""

    message: str


Command = Start | Proceed | Release | Delete | Warn
