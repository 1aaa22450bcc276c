"""Deciding again without the user's own code: what that once made is taken from the journal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from poptune.core.scheduler import Load, Plan, Ready, Scheduler
from poptune.schedulers import Perturb, PopulationBasedTraining
from poptune.schedulers.explore import Draw
from poptune.search_space import Domain
from poptune.types import Config


@dataclass(frozen=True, slots=True)
class Opinion:
    """A scheduler to ask again."""

    scheduler: Scheduler[Any]
    configs_are_journaled: bool = False
    """Whether it takes the explored configs from the journal."""


def opinion(scheduler: Scheduler[Any], plan: Plan, ready: Ready) -> Opinion | None:
    """Return a scheduler that decides like this one, and runs no user code; ``None`` if there is none.

    Args:
        scheduler: Who decided.
        plan: What the journal says that it has decided.
        ready: What it was asked.
    """
    if not _is_ours(scheduler):
        return None
    if not isinstance(scheduler, PopulationBasedTraining):
        return Opinion(scheduler)
    if not (scheduler.exploit is None or _is_ours(scheduler.exploit)):
        return None
    if not _explores_by_user_code(scheduler):
        return Opinion(scheduler)
    if ready.cause == "start":
        return None if _holds_user_code(scheduler.hyperparam_mutations or {}) else Opinion(scheduler)
    explored = [decision.config for decision in plan.decisions if isinstance(decision.source, Load)]
    journaled = replace(scheduler, explore=_Journaled(iter(explored)), custom_explore_fn=None)
    return Opinion(journaled, configs_are_journaled=True)


@dataclass(frozen=True, slots=True)
class _Journaled:
    """Answers with the configs that the journal has, one after the other."""

    configs: Iterator[Config | None]

    def explore(self, config: Config, draw: Draw) -> Config:
        del draw
        return next(self.configs, None) or config


def _explores_by_user_code(scheduler: PopulationBasedTraining) -> bool:
    explore = scheduler.explore or Perturb(
        mutations=scheduler.hyperparam_mutations or {}, custom=scheduler.custom_explore_fn
    )
    if not isinstance(explore, Perturb):
        return True
    return explore.custom is not None or _holds_user_code(explore.mutations)


def _holds_user_code(mutations: Mapping[str, Any]) -> bool:
    return any(
        _holds_user_code(mutation)
        if isinstance(mutation, Mapping)
        else not (isinstance(mutation, list | tuple) or (isinstance(mutation, Domain) and _is_ours(mutation)))
        for mutation in mutations.values()
    )


def _is_ours(thing: object) -> bool:
    return type(thing).__module__.partition(".")[0] == "poptune"
