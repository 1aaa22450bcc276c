"""Configs that were explored once, and are not to be explored again: as a journal has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from poptune.core.scheduler import Load, Plan, PopulationView
from poptune.schedulers.explorer import Copy, Draw, Explored, Explorer
from poptune.types import Config


@dataclass(frozen=True, slots=True)
class Journaled(Explorer[None]):
    """Answers with these configs, one after the other."""

    configs: Iterator[tuple[Config | None, dict[str, object]]]

    @classmethod
    def of(cls, plan: Plan) -> Journaled:
        """Return an explorer that answers as it was answered when this plan was made."""
        loads = (decision for decision in plan.decisions if isinstance(decision.source, Load))
        return cls((decision.config, decision.facts.get("explorer", {})) for decision in loads)

    def explore(self, state: None, population: PopulationView, copy: Copy, draw: Draw) -> Explored:
        config, facts = next(self.configs, (None, {}))
        return Explored(config or copy.config, facts)
