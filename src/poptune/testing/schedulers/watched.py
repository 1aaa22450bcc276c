"""A scheduler that is watched while it decides."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from poptune._base.types import TrialId
from poptune._core.deputy import Deputy
from poptune._core.scheduler import Plan, PopulationView, Random, Ready, Scheduler


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a scheduler was asked, to ask it again."""

    scheduler: Scheduler[Any]
    state: Any
    population: PopulationView
    ready: Ready
    random: Random

    def answer(self, *, ready: Ready | None = None, random: Random | None = None) -> Plan:
        """Return what is decided; for others that are ready, or by other chances, if these are given."""
        return self.scheduler.decide(self.state, self.population, ready or self.ready, random or self.random)

    def drawn(self, random: Random | None = None) -> list[tuple[str, TrialId | None]]:
        """Return the names of the draws that deciding takes, in their order."""
        names: list[tuple[str, TrialId | None]] = []

        def logged(purpose: str, trial: TrialId | None) -> Any:
            names.append((purpose, trial))
            return (random or self.random)(purpose, trial)

        self.answer(random=logged)
        return names


class Watched(Deputy):
    """Decides as another scheduler does, and has somebody look at each question and its answer.

    Args:
        scheduler: Who decides.
        look: Is shown each question that was answered, and the answer.
        before: Is shown each question before that.
        random: Makes the generators in the place of the machine, if it is given.
    """

    def __init__(
        self,
        scheduler: Scheduler[Any],
        look: Callable[[Question, Plan], None] = lambda _question, _plan: None,
        *,
        before: Callable[[Question], None] = lambda _question: None,
        random: Callable[[PopulationView, str, TrialId | None], Any] | None = None,
    ) -> None:
        super().__init__(scheduler)
        self._random = random
        self._before, self._look = before, look

    def decide(self, state: Any, population: PopulationView, ready: Ready, random: Random) -> Plan:
        if (made := self._random) is not None:
            random = functools.partial(made, population)
        question = Question(
            scheduler=self._scheduler, state=state, population=population, ready=ready, random=random
        )
        self._before(question)
        plan = question.answer()
        self._look(question, plan)
        return plan
