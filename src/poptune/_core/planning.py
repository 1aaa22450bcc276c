"""Asks the scheduler for a plan, and makes it complete before anybody acts on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from poptune._base.types import TrialId
from poptune._core.population import Population
from poptune._core.random import derived_generator
from poptune._core.scheduler import Decision, Keep, Load, Plan, PopulationView, Ready, Scheduler
from poptune._core.soundness import problem
from poptune._core.trial_spec import TrialSpec
from poptune.errors import SchedulerError

if TYPE_CHECKING:
    import numpy as np


class Planning:
    """What the machine asks of a scheduler.

    Args:
        scheduler: Who decides.
        population: About whom.
        named: Gives a trial that is born the names that the user wants.
    """

    def __init__(
        self,
        scheduler: Scheduler[Any],
        population: Population,
        named: Callable[[TrialSpec], TrialSpec],
    ) -> None:
        self._scheduler = scheduler
        self._population = population
        self._named = named

    def plan(self, state: Any, ready: Ready) -> Plan:
        """Return what the scheduler decides about those who are ready.

        Raises:
            SchedulerError: That cannot be carried out.
        """
        plan = self._scheduler.decide(state, self._population, ready, self._random)
        plan = replace(plan, spawn=tuple(map(self._named, plan.spawn)))
        if broken := problem(plan, self._population, ready):
            name = type(self._scheduler).__name__
            raise SchedulerError(f"A plan of {name} cannot be carried out: {broken}")
        return completed(plan, self._population)

    def _random(self, purpose: str, trial: TrialId | None) -> np.random.Generator:
        created = self._population.created
        assert created is not None
        if trial is None:
            return derived_generator(created.seed, f"population:{purpose}", count=self._population.plans)
        if trial not in self._population:  # it is about to be born
            return derived_generator(created.seed, purpose, int(trial.rpartition("_")[2]))
        member = self._population[trial]
        return derived_generator(created.seed, purpose, member.index, member.decisions)


def completed(plan: Plan, population: PopulationView) -> Plan:
    """Return a plan whose decisions say what their sources bring."""
    return replace(plan, decisions=tuple(_completed(decision, population) for decision in plan.decisions))


def _completed(decision: Decision, population: PopulationView) -> Decision:
    source, config, course = decision.source, decision.config, decision.course
    if not isinstance(source, Load):
        return decision
    if decision.iteration is None:
        stands_at = population[decision.trial].iteration if decision.trial in population else 0
        decision = replace(decision, iteration=stands_at)
    donor_course = population.course_of(source.checkpoint)
    if source.parts == "weights":
        return replace(decision, donor_course=donor_course)
    if config is None:
        config, course = population.config_of(source.checkpoint), course or donor_course
    if source.parts == "both":
        return replace(decision, config=config, course=course, donor_course=donor_course)
    donor = decision.config_donor or source.checkpoint.trial
    return replace(decision, source=Keep(), config=config, course=course, donor=None, config_donor=donor)


def is_empty(plan: Plan) -> bool:
    """Whether a plan changes nothing."""
    return not (plan.decisions or plan.spawn or plan.retire or plan.pin or plan.unpin)
