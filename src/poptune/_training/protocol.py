"""What controller and workers say to each other. Orders go to a worker, messages come from one.

Each names the trial it is about, and where it matters the incarnation, so that one that comes late is seen.
"""

from __future__ import annotations

from typing import Any, NoReturn, Protocol

from msgspec import Struct

from poptune._base.course import Curve
from poptune._base.types import TrialId


class Terms(Struct, frozen=True, kw_only=True):
    """What holds for every trial of an experiment."""

    experiment_name: str
    experiment_path: str
    remote: str = ""
    """The URL of the remote folder that the experiment's is mirrored to, if it is."""
    stop: dict[str, float]
    stop_population: dict[str, float]
    time_attr: str
    metric: str | None
    further_metrics: tuple[str, ...] = ()
    """Those beside it, where several are optimised."""
    require_attrs: bool
    lockstep: bool
    """Whether every report waits for an answer, because user code in the controller sees it first."""
    save_at_milestones: bool
    checkpoint_frequency: int
    checkpoint_at_end: bool
    background_saves: bool = False
    """Whether a worker writes checkpoints while the training goes on."""
    seed_libraries: bool = True
    """Whether the global random numbers of libraries are seeded before a trial's code is entered."""
    resources: dict[str, float]
    hyperparameters: tuple[str, ...] = ()
    """The dotted paths of the space and the mutations; all else in a config is bookkeeping. Empty: all."""

    def is_hyperparameter(self, path: str) -> bool:
        """Whether the value at a dotted path is one, or is in one, or has one in it."""
        return not self.hyperparameters or any(
            path == known or path.startswith(f"{known}.") or known.startswith(f"{path}.")
            for known in self.hyperparameters
        )


class Assignment(Struct, frozen=True, kw_only=True, tag="assign"):
    """Train this trial from this state on."""

    trial: TrialId
    index: int = 0
    """The trial's number."""
    name: str
    tag: str
    folder: str
    store: str
    """What its checkpoints lie in; like ``folder`` relative to the experiment's folder."""
    incarnation: int
    config: bytes
    """Pickled."""
    checkpoint: str | None
    """Folder relative to the experiment's; ``None`` starts afresh."""
    iteration: int
    age: float
    time_total_s: float
    totals: dict[str, int | float] = {}
    """What else has been counted along the lineage, such as ``timesteps_total``."""
    until: float | None
    next_save: int
    donor_config: bytes = b""
    """Pickled: what the state was trained with, if that is new with this config; else empty."""
    seed: int = 0
    """For the training code's own random numbers."""
    course: dict[str, Curve] = {}
    """How the config moves from there, by dotted path."""


class ProceedOrder(Struct, frozen=True, kw_only=True, tag="proceed"):
    """Go on with the state that the trial has, until the next milestone."""

    trial: TrialId
    incarnation: int
    until: float | None
    config: bytes = b""
    """Pickled: the config to go on with, if that is new; else empty."""
    course: dict[str, Curve] = {}
    """How that moves."""


class ReleaseOrder(Struct, frozen=True, kw_only=True, tag="release"):
    """Leave the trial's code at its next report."""

    trial: TrialId


class SaveOrder(Struct, frozen=True, kw_only=True, tag="save"):
    """Save the trial's state with its next result, if its code can be asked for it."""

    trial: TrialId


class QuitOrder(Struct, frozen=True, kw_only=True, tag="quit"):
    """End the worker."""


Order = Assignment | ProceedOrder | ReleaseOrder | SaveOrder | QuitOrder


class Result(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="result"):
    """One ``report()``."""

    trial: TrialId
    incarnation: int
    iteration: int
    metrics: dict[str, Any]
    checkpoint: int | None
    waiting: bool
    stop: str
    stops_population: bool = False
    host: dict[str, Any] | None = None
    """Where the trial runs; told with the first result after an assignment."""


class CodeReturned(Struct, frozen=True, kw_only=True, tag="returned"):
    """The trial's code came to its end by itself."""

    trial: TrialId
    incarnation: int


class CodeFailed(Struct, frozen=True, kw_only=True, tag="failed"):
    """The trial's code raised."""

    trial: TrialId
    incarnation: int
    error: str
    damaged: str = ""
    """The checkpoint that it was to go on from, if that is not whole."""
    is_certain: bool = False
    """Whether the code has a mistake that every trial would meet."""
    refused: str = ""
    """What the disk said when it did not take a checkpoint; the training code is not at fault then."""


class CodeDeclined(Struct, frozen=True, kw_only=True, tag="declined"):
    """The trial's code cannot go on with a new config as it stands: it must be entered anew."""

    trial: TrialId
    incarnation: int


class Idle(Struct, frozen=True, kw_only=True, tag="idle"):
    """The trial's code has been left; the worker awaits another assignment."""

    trial: TrialId
    reusable: bool = True
    """False if the code left threads or processes behind, so that this worker must be replaced."""
    replace: bool = False
    """Whether the trial's newest assignment is still to be carried out, by another worker."""


class Output(Struct, frozen=True, kw_only=True, tag="output"):
    """A line that the trial printed."""

    trial: TrialId
    stream: str
    line: str


class Doubt(Struct, frozen=True, kw_only=True, tag="doubt"):
    """What a trial's code does is allowed, but hardly meant; the user is told once of each kind."""

    trial: TrialId
    kind: str
    message: str


class Lost(Struct, frozen=True, kw_only=True, tag="lost"):
    """The trial's worker is dead."""

    trial: TrialId
    reason: str


Message = Result | CodeReturned | CodeFailed | CodeDeclined | Idle | Output | Doubt | Lost


class Capacity(Struct, frozen=True, kw_only=True):
    """Machines have come or gone: from now on this many trials can run at once."""

    slots: int


class Crowded(Struct, frozen=True, kw_only=True):
    """A machine that trials are held on has little memory left."""

    machine: str


News = Capacity | Crowded
"""What an executor has to say that is of no trial."""


class Channel(Protocol):
    """A worker's line to the controller."""

    def send(self, message: Message) -> None:
        """Hand over a message; may block while the controller is behind."""
        ...

    def receive(self) -> Order:
        """Wait for an order. Raises ``EOFError`` if the controller is gone."""
        ...

    def poll(self) -> Order | None:
        """Return an order if one has come."""
        ...

    def abandon(self, idle: Idle) -> NoReturn:
        """Give this worker up, because the training code does not let itself be left."""
        ...
