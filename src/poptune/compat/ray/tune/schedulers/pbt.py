"""``ray.tune.schedulers.pbt``: Population Based Training, with the incumbent's numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from poptune import schedulers
from poptune._base.arguments import reject_unknown_keywords
from poptune._base.types import Config
from poptune._core.policy_log import read_policy
from poptune._core.schedule import Change, Schedule
from poptune.compat.ray.tune.schedulers.hooks import WithoutRaysHooks
from poptune.compat.ray.tune.search.variant_generator import refuse_grids
from poptune.schedulers.metric import changed

__all__ = ["PopulationBasedTraining", "PopulationBasedTrainingReplay"]


@reject_unknown_keywords
@dataclass(frozen=True)
class PopulationBasedTraining(WithoutRaysHooks, schedulers.PopulationBasedTraining):
    """As :class:`poptune.schedulers.PopulationBasedTraining`; but perturbed values may leave their domain."""

    respect_bounds: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_grids(self.hyperparam_mutations or {})


@reject_unknown_keywords
@dataclass(frozen=True)
class PopulationBasedTrainingReplay(WithoutRaysHooks, schedulers.PopulationBasedTrainingReplay):
    """As :class:`poptune.schedulers.PopulationBasedTrainingReplay`."""

    def with_schedule(self, schedule: Schedule) -> PopulationBasedTrainingReplay:
        return changed(self, policy_file=schedule)

    @cached_property
    def _read(self) -> Schedule:
        policy: Any = self.policy_file
        if isinstance(policy, Schedule):
            return policy
        path = Path(policy).expanduser()
        return read_policy(path.read_text(encoding="utf-8"), name=path.name)

    @property
    def config(self) -> Config:
        """The config that the replay begins with."""
        return self._read.changes[0][1]

    @property
    def _policy(self) -> list[Change]:
        """The further configs, each with the iteration at which it is applied."""
        return list(self._read.changes[1:])
