"""What happens to an experiment: the facts that the journal keeps.

*Inputs* come from outside (a worker, the controller). *Outcomes* are what the machine itself settles and
journals before anybody acts on it. The state of an experiment is the fold of both, in order.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from poptune._base.described import Described
from poptune._base.types import CheckpointId, Metrics, Mode, Objective, TrialId, TrialStatus
from poptune._core.scheduler import Cause, Plan
from poptune._core.trial_spec import TrialSpec

Ending = Literal[
    "",
    "stopped",
    "returned",
    "decided",
    "failed",
    "ended with all",
    "ended for another",
    "ended by a mistake",
]
"""How a trial ended: by a condition of its own, by itself, by the scheduler, by failing, with the whole
population, because another one failed, or because of a mistake that all would meet."""


class Created(Struct, frozen=True, kw_only=True):
    """The experiment begins. Always the first record."""

    time_s: float
    name: str
    trainable: str
    seed: int
    metric: str | None
    mode: Mode | None
    time_attr: str
    trials: tuple[TrialSpec, ...]
    objectives: tuple[Objective, ...] = ()
    """All metrics that are optimised, where there are several; the first is ``metric``."""
    definition: Described | None = None
    """What the experiment is; its parts are the first of its objects. None in journals of before."""


class Reported(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A trial reported a result, and perhaps saved a checkpoint with it."""

    time_s: float
    trial: TrialId
    incarnation: int
    iteration: int
    metrics: Metrics
    checkpoint: int | None = None
    """Number of the checkpoint saved with this result, unique within the trial."""
    waiting: bool = False
    """Whether the trial stays inside ``report()`` until it is answered."""
    stop: str = ""
    """Why this is the trial's last result; empty if it is not."""
    overruled: bool = False
    """Whether that was said by the controller, so that the trial itself does not know of it yet."""


class Returned(Struct, frozen=True, kw_only=True):
    """A trial's training function came to its end."""

    time_s: float
    trial: TrialId
    incarnation: int


class Failed(Struct, frozen=True, kw_only=True):
    """A trial raised an exception, or its worker died."""

    time_s: float
    trial: TrialId
    incarnation: int
    error: str
    """The traceback, or what became of the worker."""
    damaged: str = ""
    """Path of the checkpoint that it was to go on from, if that was damaged: no failure of the trial's."""
    is_certain: bool = False
    """Whether it is the training code's mistake, which no further try and no other trial would be spared."""


class Declined(Struct, frozen=True, kw_only=True):
    """A trial that waits cannot go on with its new config as it stands: its code must be entered anew."""

    time_s: float
    trial: TrialId
    incarnation: int


class PopulationStopped(Struct, frozen=True, kw_only=True):
    """Everything is to end now: a time budget is spent, or ``stop_population_at`` was reached."""

    time_s: float
    reason: str


class ResidentsLimited(Struct, frozen=True, kw_only=True):
    """From now on at most this many trials may be held in memory."""

    time_s: float
    limit: int


class SlotsChanged(Struct, frozen=True, kw_only=True):
    """Machines have come or gone: from now on this many trials can run at once."""

    time_s: float
    slots: int


class Ticked(Struct, frozen=True, kw_only=True):
    """The time has come at which a trial that rests after a failure may try again."""

    time_s: float


class Resumed(Struct, frozen=True, kw_only=True):
    """A new controller has taken over; no trial of the old one is alive."""

    time_s: float
    damaged: tuple[str, ...] = ()
    """Paths of the checkpoints that trials would go back to, but that are not whole any more."""
    revived: tuple[TrialId, ...] = ()
    """Trials that had ended and train on."""
    anew: tuple[TrialId, ...] = ()
    """Those of them that begin from nothing."""
    definition: Described | None = None
    """What the experiment is from now on, but for what it trains; None if nothing has changed."""
    parts: int | None = None
    """The number of the object that holds the parts of that definition."""


class Spawned(Struct, frozen=True, kw_only=True):
    """Trials are born, as the plan has it that follows."""

    trials: tuple[TrialSpec, ...]


class Planned(Struct, frozen=True, kw_only=True):
    """The scheduler has decided. Never decided again: a fold takes the plan as it stands."""

    plan: Plan
    cause: Cause | None = None
    """Why it was asked; not known in journals of before."""


class Restarted(Struct, frozen=True, kw_only=True):
    """A trial goes back to its checkpoint; what it reported after that will be reported again."""

    trial: TrialId
    cause: str


class Left(Struct, frozen=True, kw_only=True):
    """A trial has left the population for good."""

    trial: TrialId
    status: TrialStatus
    reason: str
    cause: Ending = ""
    """What kind of end it is; empty in journals of before."""


class Forgotten(Struct, frozen=True, kw_only=True):
    """Checkpoints that retention gave up."""

    checkpoints: tuple[CheckpointId, ...]


class Completed(Struct, frozen=True, kw_only=True):
    """The experiment is over. Always the last record."""

    time_s: float


Input = (
    Created
    | Reported
    | Returned
    | Failed
    | Declined
    | PopulationStopped
    | ResidentsLimited
    | SlotsChanged
    | Ticked
    | Resumed
    | Completed
)
Outcome = Spawned | Planned | Restarted | Left | Forgotten
Event = Input | Outcome
