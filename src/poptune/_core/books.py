"""What follows from the journal beside the population: who lives and meets where, what is kept."""

from __future__ import annotations

from poptune._base.types import TrialId
from poptune._core.barriers import Barriers
from poptune._core.events import (
    Created,
    Ending,
    Event,
    Failed,
    Left,
    Planned,
    Reported,
    Restarted,
    Resumed,
    Spawned,
)
from poptune._core.failures import Failures
from poptune._core.pins import Pins
from poptune._core.population import Population, Trial
from poptune._core.settings import Settings

_OF_ALL: frozenset[Ending] = frozenset({"ended with all", "ended for another", "ended by a mistake"})
"""How trials end when all do, so that none is born or called any more."""


class Books:
    """Folded with the population, after it."""

    def __init__(self, settings: Settings) -> None:
        self.barriers = Barriers()
        self.pins = Pins(settings.retention)
        self.failures = Failures(settings.retries)
        self.live: set[TrialId] = set()
        self.is_stopped = False
        """Whether the whole experiment was ended."""

    def fold(self, event: Event, population: Population) -> None:
        """Take over one journaled record."""
        match event:
            case Reported():
                trial = population[event.trial]
                if trial.arrived or event.checkpoint is not None:
                    self._settle(trial)
            case Created(trials=trials) | Spawned(trials=trials):
                self.live.update(trial.id for trial in trials)
            case Planned(plan=plan):
                for decision in plan.decisions:
                    self._settle(population[decision.trial])
                self.pins.let_go(plan.unpin)
            case Restarted() | Left():
                if isinstance(event, Left):
                    self.live.discard(event.trial)
                    self.is_stopped |= event.cause in _OF_ALL
                self._settle(population[event.trial])
            case Failed() | Resumed():
                self._set_back(event, population)
            case _:
                pass

    def _set_back(self, event: Failed | Resumed, population: Population) -> None:
        if isinstance(event, Resumed):
            self.is_stopped = False
            self.live.update(event.revived)
            self.failures.forget_mistakes()
        elif not event.damaged:
            self.failures.note(event)
            return
        for trial in population.trials:
            self._settle(trial)

    def _settle(self, trial: Trial) -> None:
        """Bring the books in line with what was folded of a trial."""
        self.pins.update(trial)
        self.barriers.update(trial)
