"""An experiment as those see it who watch: loggers, displays, callbacks. There is nothing here to steer by.

The population itself is what they are shown, so nothing is copied; by these types it can only be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Protocol

from poptune._base.types import Metrics, TrialId
from poptune._core.events import Created, Ending
from poptune._core.trial import SeenTrial
from poptune._core.trial_spec import TrialSpec


class WatchedTrial(SeenTrial, Protocol):
    """One trial, as it stands now."""

    @property
    def spec(self) -> TrialSpec:
        """Its names, its folder, and the config that it began with."""
        ...

    @property
    def config(self) -> Mapping[str, Any]:
        """The hyperparameters; those that move have their values of now."""
        ...

    @property
    def time_total_s(self) -> float: ...
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
