"""What every journal can do, and what is read out of any of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from poptune._base.types import TrialId
from poptune._core.events import Event, Reported
from poptune._core.population import Population
from poptune._core.views import WatchedTrial


class Journal(Protocol):
    """An append-only sequence of events."""

    def append(self, events: Sequence[Event]) -> None:
        """Keep these events, all or none. When this returns, a killed process loses none of them."""
        ...

    def read(self) -> Iterator[Event]:
        """Return all events, in order."""
        ...

    def results(self, trial: TrialId) -> Iterator[Reported]:
        """Return one trial's results, in order, superseded ones included."""
        ...

    def sync(self) -> None:
        """When this returns, a power loss loses nothing of what was appended."""
        ...

    def close(self) -> None:
        """Release what the journal holds."""
        ...


def fold(journal: Journal) -> Population:
    """Return the population as the journal leaves it."""
    population = Population()
    for event in journal.read():
        population.apply(event)
    return population


def valid_results(journal: Journal, trial: WatchedTrial) -> Iterator[Reported]:
    """Return a trial's results, in order, without those that a restart made void."""
    void = iter([*trial.superseded, (float("inf"), float("inf"))])
    first, last = next(void)
    for number, result in enumerate(journal.results(trial.id), start=1):
        while number > last:
            first, last = next(void)
        if number < first:
            yield result
