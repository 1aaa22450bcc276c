"""The seam between machine and algorithm: a scheduler sees the population and answers with decisions.

Barriers, slots, pins, retries and restarts are the machine's business and are written once, there.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeVar, runtime_checkable

from msgspec import Struct, field

from poptune._base.course import Course, Curve
from poptune._base.ours import is_ours
from poptune._base.types import CheckpointId, Config, Mode, Objective, TrialId
from poptune._core.trial_spec import TrialSpec
from poptune.errors import ConfigurationError

if TYPE_CHECKING:
    import numpy as np

    from poptune._core.events import Left, Planned, Reported, Restarted
    from poptune._core.trial import TrialView

Random = Callable[[str, TrialId | None], "np.random.Generator"]
"""``random(purpose, trial)``: a generator that no other draw can shift. ``None`` stands for all trials."""


class CheckpointRef(Struct, frozen=True, kw_only=True):
    """A journaled checkpoint: which state it is, and where its trial stood when it was saved."""

    id: CheckpointId
    trial: TrialId
    path: str
    """Folder relative to the experiment's."""
    number: int
    iteration: int
    age: float
    """Value of the time attribute."""
    time_total_s: float
    score: float | None
    report: int
    """How many results its trial had reported, this one included."""
    timesteps_total: int | float | None = None
    """What its trial had counted of them, if it does."""
    episodes_total: int | float | None = None
    scores: tuple[float | None, ...] = ()
    """All of them, where several metrics are optimised."""


class Keep(Struct, frozen=True):
    """Go on with the state that the trial has."""


class Load(Struct, frozen=True):
    """Go on from a checkpoint that is kept, of whatever trial and however old: a plan can *pin* one.

    *both* takes over the state and, unless the decision names another, the config that it was saved with.
    *weights* takes over the state only. *config* takes over the config only, so that the trial keeps its own
    state: it is recorded as ``Keep`` with that config.
    """

    checkpoint: CheckpointRef
    parts: Literal["both", "weights", "config"] = "both"


class Fresh(Struct, frozen=True):
    """Begin from nothing, as a new trial does."""


Source = Keep | Load | Fresh


class Run(Struct, frozen=True, kw_only=True):
    """Train until the time attribute reaches ``until`` (``None``: to the end), then check in.

    Trials bound for the same ``barrier`` are decided together, when all of them that still live have arrived.
    """

    until: float | None = None
    barrier: str | None = None
    yields: bool = True
    """Whether it first gives its slot to a trial in line that is a whole stretch behind, if there is one."""


class Rest(Struct, frozen=True):
    """Train no further until a later plan names the trial: it costs no slot.

    Trials that rest when nobody else is left end.
    """


class End(Struct, frozen=True):
    """Train no further."""


Next = Run | Rest | End


class Decision(Struct, frozen=True, kw_only=True):
    """What one trial does next.

    DESIGN's words label these: Continue = Keep, Exploit = Load of another's checkpoint, Perturb = Load of
    one's own with a new config, Stop = End.
    """

    trial: TrialId
    next: Next
    source: Source = field(default_factory=Keep)
    config: Config | None = None
    """The new config; ``None`` keeps the present one, or takes what the source brings."""
    course: Mapping[str, Curve] | None = None
    """Hyperparameters, by dotted path, that move from now on along curves over the time attribute. ``None``
    has all stay level where ``config`` is new, and else changes nothing."""
    reason: str = ""
    seen: Mapping[str, float | None] = field(default_factory=dict)
    """The scores that the decision was based on."""
    iteration: int | None = None
    """The iteration that the trial stood at."""
    donor: TrialId | None = None
    """Whose state it is that the trial takes over, if it is another's."""
    config_donor: TrialId | None = None
    """Whose config it is, if it is a third one's, or if only the config is another's."""
    donor_config: Config | None = None
    """What the loaded checkpoint was trained with, if ``config`` is new with it."""
    donor_course: Mapping[str, Curve] | None = None
    """How that moved; filled in when the plan is recorded."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the scheduler's own fold needs beyond the rest; nobody else reads it."""
    forgives: bool = False
    """Whether the trial's failures so far count no longer, because it begins a new life."""


class Plan(Struct, frozen=True, kw_only=True):
    """One answer of a scheduler: a decision for each ready trial, and for whom else it concerns.

    Decisions may name resting trials, too; each trial that the plan spawns has one.
    """

    decisions: tuple[Decision, ...]
    warnings: tuple[str, ...] = ()
    """Told to the user once each."""
    pin: tuple[CheckpointId, ...] = ()
    """Checkpoints that are kept from now on, whatever retention says, so that a later plan may load them."""
    unpin: tuple[CheckpointId, ...] = ()
    """Checkpoints that were pinned, and that retention may give up again."""
    spawn: tuple[TrialSpec, ...] = ()
    """Trials that are born now, as :meth:`PopulationView.newcomer` makes them. The journal has them in a
    record of their own, before the plan."""
    retire: tuple[TrialId, ...] = ()
    """Trials that end now, wherever they are: in training, at rest, or in line."""


Cause = Literal["start", "milestone", "exhausted", "idle"]


class Ready(Struct, frozen=True, kw_only=True):
    """Which trials await a decision, and why."""

    cause: Cause
    """*exhausted*: the trial has failed too often; it may copy another, or end. *idle*: a slot is free, and
    nobody is in line for it; it is asked again until the plan is empty (see ``Needs.idle``)."""
    trials: tuple[TrialId, ...]
    barrier: str | None = None
    """The barrier that they have met at, if they were bound for one."""


class Needs(Struct, frozen=True, kw_only=True):
    """What a scheduler reads from every result, and what else must be known of it from outside."""

    time_attr: str = "training_iteration"
    metric: str | None = None
    mode: Mode | None = None
    require_attrs: bool = False
    """Whether a result without the metric or the time attribute is an error of its trial."""
    checkpoints: bool = False
    """Whether the scheduler is of no use if trials never save."""
    rebirths: bool = False
    """Whether it can say whom a trial that has failed too often is to copy."""
    idle: bool = False
    """Whether it is to be asked when a slot is free and nobody is in line for it."""
    spawns: bool = False
    """Whether there may be more trials than the experiment begins with."""
    copies: bool = False
    """Whether trials take over each other's states and configs, so that one alone is no population."""
    population: int | None = None
    """How many trials it trains, if only so many will do."""
    hyperparameters: tuple[str, ...] = ()
    """The dotted paths of those that it changes while trials train."""
    replays: object = None
    """The schedule that every trial is to follow, or the path of its file: it gets what is read there by
    :meth:`Scheduler.with_schedule`."""
    policy_logs: bool = False
    """Whether ``pbt_global.txt`` and ``pbt_policy_*.txt`` are to tell of its decisions."""


class PopulationView(Protocol):
    """The population as a scheduler may see it: to read, never to change."""

    @property
    def trials(self) -> Sequence[TrialView]:
        """All trials, by index."""
        ...

    @property
    def pinned(self) -> AbstractSet[CheckpointId]:
        """The checkpoints that earlier plans have pinned."""
        ...

    def __getitem__(self, trial: TrialId, /) -> TrialView: ...
    def __contains__(self, trial: object, /) -> bool: ...

    def config_of(self, checkpoint: CheckpointRef, /) -> Config:
        """Return what a checkpoint that is kept was trained with when it was saved."""
        ...

    def course_of(self, checkpoint: CheckpointRef, /) -> Course | None:
        """Return how that moved."""
        ...

    def newcomer(self, config: Config, number: int = 0) -> TrialSpec:
        """Return a trial that a plan may spawn; ``number`` counts those of one plan from 0."""
        ...


State = TypeVar("State")


@runtime_checkable
class Scheduler(Protocol[State]):
    """An algorithm. It holds no state of its own: state is folded, so that a journal can bring it back.

    Subclass it. What is abstract is the algorithm; the rest is for those who have more to say.
    :class:`poptune.testing.schedulers.SchedulerConformance` tests what is expected of one.

    Example:
        >>> from dataclasses import dataclass, replace
        >>> from typing import Self
        >>> from poptune._core.scheduler import Decision, Needs, Plan, Run, Scheduler
        >>> @dataclass(frozen=True)
        ... class TrainAll(Scheduler[int]):
        ...     metric: str | None = None
        ...     mode: str | None = None
        ...
        ...     @property
        ...     def needs(self) -> Needs:
        ...         return Needs(metric=self.metric, mode=self.mode)
        ...
        ...     def for_metric(self, metric, mode) -> Self:
        ...         return replace(self, metric=self.metric or metric, mode=self.mode or mode)
        ...
        ...     def init(self, trials) -> int:
        ...         return 0
        ...
        ...     def fold(self, state, event, population) -> int:
        ...         return state + 1
        ...
        ...     def decide(self, state, population, ready, random) -> Plan:
        ...         return Plan(decisions=tuple(Decision(trial=one, next=Run()) for one in ready.trials))
        ...
        ...     def describe(self, state, population) -> str:
        ...         return f"{state} things have happened"
        >>> TrainAll().for_metric("loss", "min").needs.metric
        'loss'
    """

    @property
    @abstractmethod
    def needs(self) -> Needs:
        """What must be known of this scheduler: always the same."""
        ...

    @abstractmethod
    def for_metric(self, metric: str | None, mode: Mode | None) -> Self:
        """Return this scheduler with the metric and mode that the ``TuneConfig`` names.

        Raises:
            ConfigurationError: It has others already.
        """
        ...

    def for_objectives(self, objectives: Sequence[Objective]) -> Self:
        """Return this scheduler with several metrics to optimise, of which the first is *the* metric.

        Their last values are a trial's ``last_scores``. One that ranks by several overrides this.

        Raises:
            ConfigurationError: It takes one only.
        """
        raise ConfigurationError(
            f"{type(self).__name__} ranks trials by one metric, got {[each.metric for each in objectives]}: "
            "name one in TuneConfig(metric=...), or take a scheduler that ranks by several"
        )

    @abstractmethod
    def init(self, trials: Sequence[TrialSpec]) -> State:
        """Return the state before anything happened."""
        ...

    @abstractmethod
    def fold(
        self, state: State, event: Reported | Planned | Restarted | Left, population: PopulationView
    ) -> State:
        """Return the state after one more record; ``state`` may be changed in place."""
        ...

    @abstractmethod
    def decide(self, state: State, population: PopulationView, ready: Ready, random: Random) -> Plan:
        """Answer every ready trial, each once. Changes nothing: only what is recorded is folded."""
        ...

    @abstractmethod
    def describe(self, state: State, population: PopulationView) -> str:
        """Return one line on where the algorithm stands, for the live view."""
        ...

    def for_space(self, param_space: Mapping[str, Any]) -> Self:
        """Return this scheduler brought together with the ``param_space``.

        Raises:
            ConfigurationError: They do not go together.
        """
        return self

    def with_schedule(self, schedule: Any) -> Self:
        """Return this scheduler with the :class:`Schedule` that its ``needs.replays`` stands for."""
        return self

    def doubts(self, ends: Mapping[str, float], *, time_budget_s: float | None = None) -> Sequence[str]:
        """Return a warning for each choice of the user's that does not do what is hoped for.

        Args:
            ends: The values of metrics at which a trial, or all, end.
            time_budget_s: After how many seconds everything ends.
        """
        return ()

    def too_short(self, longest: float) -> str:
        """Return what is said of an experiment in which no trial came to a milestone; nothing by default.

        Args:
            longest: The value of the time attribute that the longest trial came to.
        """
        return ""

    def without_user_code(self, plan: Plan, ready: Ready) -> Self | None:
        """Return who can be asked once more for a plan that is journaled, without running the user's code.

        Args:
            plan: What was decided.
            ready: What was asked.

        Returns:
            This scheduler, if it runs none; one that takes the configs which such code has made from the
            plan; or ``None``, as by default for one that is the user's own, if all must be believed.
        """
        return self if is_ours(self) else None
