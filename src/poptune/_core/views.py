"""An experiment as those see it who watch: loggers, displays, callbacks. There is nothing here to steer by.

The population itself is what they are shown, so nothing is copied; by these types it can only be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Protocol

from poptune._base.course import Course
from poptune._base.types import Metrics, TrialId, TrialStatus
from poptune._core.events import Created, Ending
from poptune._core.scheduler import CheckpointRef
from poptune._core.trial_spec import TrialSpec


class WatchedTrial(Protocol):
    """One trial, as it stands now."""

    @property
    def spec(self) -> TrialSpec:
        """Its names, its folder, and the config that it began with."""
        ...

    @property
    def id(self) -> TrialId: ...
    @property
    def index(self) -> int: ...
    @property
    def config(self) -> Mapping[str, Any]:
        """The hyperparameters; those that move have their values of now."""
        ...

    @property
    def course(self) -> Course | None:
        """How some of them move over the time attribute, if they do."""
        ...

    @property
    def status(self) -> TrialStatus: ...
    @property
    def resting(self) -> bool:
        """Whether it trains no further until a plan names it."""
        ...

    @property
    def iteration(self) -> int: ...
    @property
    def age(self) -> float:
        """Value of the time attribute along the lineage of the present state."""
        ...

    @property
    def time_total_s(self) -> float: ...
    @property
    def score(self) -> float | None:
        """The metric of the present state, larger is better; ``None`` before the first result."""
        ...

    @property
    def last_score(self) -> float | None:
        """The metric of the last result, larger is better: a copy keeps its own until it reports."""
        ...

    @property
    def last_scores(self) -> tuple[float | None, ...]:
        """The same of each metric that is optimised, the first one's first."""
        ...

    @property
    def metrics(self) -> Metrics:
        """The last result, empty before the first."""
        ...

    @property
    def reports(self) -> int:
        """How many results it has reported, with those that a restart made void."""
        ...

    @property
    def superseded(self) -> Sequence[tuple[int, int]]:
        """The results that restarts made void, as (first, last), counted from 1."""
        ...

    @property
    def checkpoint(self) -> CheckpointRef | None:
        """The newest checkpoint on the lineage of the present state."""
        ...

    @property
    def saved(self) -> Sequence[CheckpointRef]:
        """Its own checkpoints that are kept, oldest first."""
        ...

    @property
    def exploits(self) -> int:
        """How often it has copied another."""
        ...

    @property
    def generation(self) -> int:
        """How many copies lie between its state and one that began from nothing."""
        ...

    @property
    def donor(self) -> TrialId | None:
        """Whom it has copied last."""
        ...

    @property
    def failures(self) -> int: ...
    @property
    def error(self) -> str:
        """The traceback of its last failure."""
        ...

    @property
    def reason(self) -> str:
        """Why it has ended."""
        ...

    @property
    def ending(self) -> Ending: ...


class WatchedPopulation(Protocol):
    """All trials, by index and by id."""

    @property
    def created(self) -> Created | None:
        """How the experiment began."""
        ...

    @property
    def completed(self) -> bool: ...
    @property
    def trials(self) -> Sequence[WatchedTrial]: ...
    def __getitem__(self, trial: TrialId, /) -> WatchedTrial: ...
    def __contains__(self, trial: object, /) -> bool: ...


class WatchedExperiment(Protocol):
    """The machine, as far as it can be looked at."""

    @property
    def population(self) -> WatchedPopulation: ...
    @property
    def finished(self) -> bool:
        """Whether no trial is live any more."""
        ...

    @property
    def running(self) -> AbstractSet[TrialId]:
        """The trials that hold a slot."""
        ...

    def describe(self) -> str:
        """Return the scheduler's own line on where it stands."""
        ...
