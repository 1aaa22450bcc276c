"""What happens to an experiment: the facts that the journal keeps.

*Inputs* come from outside (a worker, the controller). *Outcomes* are what the machine itself settles and
journals before anybody acts on it. The state of an experiment is the fold of both, in order.
"""

from __future__ import annotations

from dataclasses import dataclass

from poptune.core.scheduler import Plan
from poptune.types import CheckpointId, Config, Metrics, Mode, TrialId, TrialStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialSpec:
    """What a trial is before it has trained: its names and its sampled config."""

    id: TrialId
    index: int
    name: str
    """The trainable's name and the id, ``train_convnet_69158_00000``."""
    tag: str
    """Index and sampled values, ``0_lr=0.0701,momentum=0.1774``."""
    folder: str
    """The trial's folder inside the experiment's."""
    config: Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """The experiment begins. Always the first record."""

    time_s: float
    name: str
    trainable: str
    seed: int
    metric: str | None
    mode: Mode | None
    time_attr: str
    trials: tuple[TrialSpec, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """A trial's training function came to its end."""

    time_s: float
    trial: TrialId
    incarnation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A trial raised an exception, or its worker died."""

    time_s: float
    trial: TrialId
    incarnation: int
    error: str
    """The traceback, or what became of the worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationStopped:
    """Everything is to end now: a time budget is spent, or ``stop_population_at`` was reached."""

    time_s: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidentsLimited:
    """From now on at most this many trials may be held in memory."""

    time_s: float
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A new controller has taken over; no trial of the old one is alive."""

    time_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The scheduler has decided. Never decided again: a fold takes the plan as it stands."""

    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted:
    """A trial goes back to its checkpoint; what it reported after that will be reported again."""

    trial: TrialId
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A trial has left the population for good."""

    trial: TrialId
    status: TrialStatus
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """Checkpoints that retention gave up."""

    checkpoints: tuple[CheckpointId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """The experiment is over. Always the last record."""

    time_s: float


Input = Created | Reported | Returned | Failed | PopulationStopped | ResidentsLimited | Resumed | Completed
Outcome = Planned | Restarted | Left | Forgotten
Event = Input | Outcome
