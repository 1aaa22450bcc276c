"""What a controller that takes over must know of the sessions before it, beside the fold of the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from poptune._base.copies import copied
from poptune._base.types import TrialId
from poptune._core.events import Created, Event, Reported, Resumed
from poptune._core.population import Population
from poptune.stoppers import FunctionStopper, Stopper


def spent_s(events: Iterable[Event]) -> float:
    """Return for how long, in seconds, sessions have worked on the experiment."""
    total_s = began_s = last_s = 0.0
    for event in events:
        if isinstance(event, Created | Resumed):
            total_s += last_s - began_s
            began_s = last_s = event.time_s
        else:
            last_s = max(last_s, getattr(event, "time_s", last_s))
    return total_s + last_s - began_s


def remind(stoppers: Sequence[Stopper], events: Iterable[Event], population: Population) -> None:
    """Show stoppers the results that they have seen before, so that what they keep of them is there again.

    Results that a restart made void are left out: they come anew. Whatever a stopper says to an old result
    was done then. A function keeps nothing, so it is not asked.

    Args:
        stoppers: As they were before the first result.
        events: The journal.
        population: The fold of all of it.
    """
    learning = [stopper for stopper in stoppers if not isinstance(stopper, FunctionStopper)]
    seen: Counter[TrialId] = Counter()
    for event in events if learning else ():
        if isinstance(event, Reported):
            seen[event.trial] += 1
            void = population[event.trial].superseded
            if not any(first <= seen[event.trial] <= last for first, last in void):
                for stopper in learning:
                    stopper(event.trial, copied(dict(event.metrics)))
