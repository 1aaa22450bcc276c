"""Configs that were explored once, and are not to be explored again: as a journal has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from poptune._base.types import TrialId
from poptune._core.scheduler import Plan, PopulationView
from poptune.schedulers.explorer import Copy, Draw, Explored, Explorer


@dataclass(frozen=True, slots=True)
class Journaled(Explorer[None]):
    """Answers as it was answered before."""

    answers: Mapping[TrialId, Explored]

    @classmethod
    def of(cls, plan: Plan) -> Journaled:
        """Return an explorer that answers as it was answered when this plan was made."""
        return cls(
            {
                decision.trial: Explored(decision.config, decision.facts.get("explorer", {}))
                for decision in plan.decisions
                if decision.config is not None
            }
        )

    def explore(self, state: None, population: PopulationView, copy: Copy, draw: Draw) -> Explored:
        return self.answers.get(copy.recipient.id) or Explored(copy.config)
