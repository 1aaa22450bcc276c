"""``ray.tune.schedulers.pbt``: Population Based Training, with the incumbent's numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

from poptune import schedulers
from poptune.arguments import reject_unknown_keywords
from poptune.schedulers import PopulationBasedTrainingReplay

__all__ = ["PopulationBasedTraining", "PopulationBasedTrainingReplay"]


@reject_unknown_keywords
@dataclass(frozen=True)
class PopulationBasedTraining(schedulers.PopulationBasedTraining):
    """As :class:`poptune.schedulers.PopulationBasedTraining`; but perturbed values may leave their domain."""

    respect_bounds: bool = field(default=False, kw_only=True)
