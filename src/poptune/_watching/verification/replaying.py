"""Running the machine again over what a journal was given, and comparing what it settles.

The inputs of the journal go through ``Experiment.handle`` once more; what the machine then records must be
what follows them in the journal. What differs is noted, and the machine goes on from what the journal says.

Only evictions, and who was not in memory when a checkpoint turned out damaged, are taken as they stand: they
depend on how many slots and how much memory a session had, which no record tells whole. Nothing else does, so
the machine here has a slot and room for every trial, also where the journal says that there were fewer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, zip_longest
from typing import Any

from msgspec import structs

from poptune._base.types import TrialId
from poptune._core.deputy import Deputy
from poptune._core.events import (
    Event,
    Forgotten,
    Input,
    Left,
    Outcome,
    Planned,
    ResidentsLimited,
    Restarted,
    Resumed,
    SlotsChanged,
    Spawned,
)
from poptune._core.experiment import Experiment
from poptune._core.planning import completed
from poptune._core.scheduler import Plan, PopulationView, Random, Ready, Scheduler
from poptune._core.settings import Settings
from poptune._core.trial_spec import TrialSpec
from poptune._watching.verification.plans import differences
from poptune._watching.verification.verdict import Difference
from poptune.errors import InternalError, SchedulerError

_MOST_DIFFERENCES = 50
_UNLIMITED = 1_000_000_000
_OUTCOMES = (Spawned, Planned, Restarted, Left, Forgotten)


@dataclass(slots=True)
class Replay:
    """What came of it."""

    events: int = 0
    decisions: int = 0
    configs_folded: int = 0
    decisions_folded: int = 0
    differences: list[Difference] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Deciders:
    """By whom, and by what settings, was decided."""

    scheduler: Scheduler[Any]
    """Its own ``fold`` is run; of what else is the user's code, nothing."""
    settings: Settings


def replay(
    read: Callable[[], Iterable[Event]],
    first: Deciders,
    redefined: Callable[[Resumed], Deciders] | None = None,
) -> Replay:
    """Settle everything again that a journal says was settled.

    Args:
        read: Returns the events of the journal, from the first.
        first: Who decided.
        redefined: Who has decided from a session on that has changed the experiment.
    """
    return _Replaying(read, first, redefined).run()


class _Replaying:
    def __init__(
        self,
        read: Callable[[], Iterable[Event]],
        first: Deciders,
        redefined: Callable[[Resumed], Deciders] | None,
    ) -> None:
        self._read = read
        self._redefined = redefined
        self._found = Replay()
        self._appoint(first)
        self._machine = Experiment(self._witness, self._settings)

    def _appoint(self, deciders: Deciders) -> None:
        self._witness = _Witness(deciders.scheduler, self._found)
        self._settings = replace(deciders.settings, slots=_UNLIMITED, max_residents=None)

    def run(self) -> Replay:
        for given, outcomes in _steps(self._read()):
            if isinstance(given, Resumed):
                if given.definition is not None and self._redefined is not None:
                    self._appoint(self._redefined(given))
                self._fold_again(self._found.events)
            self._step(given, outcomes)
            if len(self._found.differences) >= _MOST_DIFFERENCES:
                break
        return self._found

    def _step(self, given: Input, outcomes: Sequence[Outcome]) -> None:
        before = self._found.events
        self._found.events += 1 + len(outcomes)
        evictions = [event for event in outcomes if _hangs_on_memory(event)]
        numbered = [
            (number, event)
            for number, event in enumerate(outcomes, start=before + 2)
            if not _hangs_on_memory(event)
        ]
        self._witness.recall(_plans(numbered))
        try:
            settled = self._machine.handle(_with_room_for_all(given)).events
        except (InternalError, SchedulerError) as error:
            self._differ(before + 1, given, f"an impossible event ({error})")
            return
        except _NotRecordedError as missing:
            self._differ(self._found.events, None, f"a plan for the trials {', '.join(missing.trials)}")
            return
        if not settled:
            self._differ(before + 1, given, "an event that comes too late to be recorded")
            return
        for pair, outcome in zip_longest(numbered, (e for e in settled[1:] if not _hangs_on_memory(e))):
            number, journaled = pair or (self._found.events, None)
            again = _as_it_was_told(outcome, journaled)
            if not (isinstance(journaled, Planned) and isinstance(again, Planned)) and journaled != again:
                self._differ(number, journaled, again)
                return
        for eviction in evictions:
            if eviction not in settled:
                self._machine.fold(eviction)

    def _differ(self, event: int, journaled: Event | None, settled: object) -> None:
        trial = getattr(journaled or settled, "trial", None)
        self._found.differences.append(Difference(event, trial, "outcome", journaled, settled))
        self._fold_again(self._found.events)

    def _fold_again(self, events: int) -> None:
        """Go on from what the journal says, as a session does that continues an experiment."""
        self._machine = Experiment(self._witness, self._settings)
        for event in islice(self._read(), events):
            self._machine.fold(event)


def _steps(events: Iterable[Event]) -> Iterator[tuple[Input, list[Outcome]]]:
    """Return each input with the outcomes that follow it."""
    given: Input | None = None
    outcomes: list[Outcome] = []
    for event in events:
        if isinstance(event, _OUTCOMES):
            outcomes.append(event)
            continue
        if given is not None:
            yield given, outcomes
        given, outcomes = event, []
    if given is not None:
        yield given, outcomes


def _plans(outcomes: Iterable[tuple[int, Outcome]]) -> Iterator[tuple[int, Planned]]:
    """Return the plans among outcomes as they were made: with the trials that they spawn."""
    born: tuple[TrialSpec, ...] = ()
    for number, event in outcomes:
        if isinstance(event, Spawned):
            born = event.trials
        elif isinstance(event, Planned):
            yield number, structs.replace(event, plan=structs.replace(event.plan, spawn=born))
            born = ()


def _with_room_for_all(given: Input) -> Input:
    match given:
        case SlotsChanged():
            return structs.replace(given, slots=_UNLIMITED)
        case ResidentsLimited():
            return structs.replace(given, limit=_UNLIMITED)
        case _:
            return given


def _as_it_was_told(again: Event | None, journaled: Event | None) -> Event | None:
    """Return an end without its cause where the journal is of before causes were told."""
    if isinstance(again, Left) and isinstance(journaled, Left) and not journaled.cause:
        return structs.replace(again, cause="")
    return again


def _hangs_on_memory(event: Event) -> bool:
    return isinstance(event, Restarted) and event.cause in {"evicted", "detoured"}


class _NotRecordedError(Exception):
    """The machine asks for a decision that the journal does not have."""

    def __init__(self, trials: Sequence[TrialId]) -> None:
        super().__init__()
        self.trials = trials


class _Witness(Deputy):
    """A scheduler that decides what the journal says was decided, and asks the true one whether it agrees."""

    def __init__(self, scheduler: Scheduler[Any], found: Replay) -> None:
        super().__init__(scheduler)
        self._found = found
        self._plans: deque[tuple[int, Planned]] = deque()

    def recall(self, plans: Iterable[tuple[int, Planned]]) -> None:
        """Be told the plans of the next step, each with its place in the journal."""
        self._plans = deque(plans)

    def decide(self, state: Any, population: PopulationView, ready: Ready, random: Random) -> Plan:
        if not (self._plans and _answers(self._plans[0][1], ready)):
            if ready.cause == "idle":  # here a slot is always free; when one was is the journal's to say
                return Plan(decisions=())
            raise _NotRecordedError(ready.trials)
        number, planned = self._plans.popleft()
        plan = planned.plan
        self._found.decisions += len(plan.decisions)
        again = self._scheduler.without_user_code(plan, ready)
        if again is None:
            self._found.decisions_folded += len(plan.decisions)
            return plan
        if again is not self._scheduler:
            self._found.configs_folded += sum(decision.config is not None for decision in plan.decisions)
        settled = completed(again.decide(state, population, ready, random), population)
        self._found.differences.extend(differences(number, plan, settled))
        return plan


def _answers(planned: Planned, ready: Ready) -> bool:
    """Whether a plan was made for these; others that it names rested, or were born with it."""
    if planned.cause not in {None, ready.cause}:
        return False
    return set(ready.trials) <= {decision.trial for decision in planned.plan.decisions}
