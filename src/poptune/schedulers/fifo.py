"""No algorithm at all: every trial trains to its end with its first config, in the order of their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from poptune._base.arguments import check_mode
from poptune._base.types import Mode, Objective
from poptune._core.events import Left, Planned, Reported, Restarted
from poptune._core.scheduler import Decision, Needs, Plan, PopulationView, Random, Ready, Run, Scheduler
from poptune._core.trial_spec import TrialSpec
from poptune.schedulers.metric import with_metric


@dataclass(frozen=True, slots=True, kw_only=True)
class FIFOScheduler(Scheduler[None]):
    """Train every trial to its end: random search, grid search, or the baseline beside PBT.

    Example:
        >>> from poptune.schedulers import FIFOScheduler
        >>> FIFOScheduler()
        FIFOScheduler(metric=None, mode=None)
    """

    metric: str | None = None
    mode: Mode | None = None

    def __post_init__(self) -> None:
        check_mode(self.mode)

    @property
    def needs(self) -> Needs:
        return Needs(metric=self.metric, mode=self.mode)

    def for_metric(self, metric: str | None, mode: Mode | None) -> Self:
        return with_metric(self, metric, mode)

    def for_objectives(self, objectives: Sequence[Objective]) -> Self:
        return self.for_metric(objectives[0].metric, objectives[0].mode)  # it ranks by none

    def init(self, trials: Sequence[TrialSpec]) -> None:
        return None

    def fold(
        self,
        state: None,
        event: Reported | Planned | Restarted | Left,
        population: PopulationView,
    ) -> None:
        return None

    def decide(self, state: None, population: PopulationView, ready: Ready, random: Random) -> Plan:
        return Plan(decisions=tuple(Decision(trial=trial, next=Run()) for trial in ready.trials))

    def describe(self, state: None, population: PopulationView) -> str:
        return "FIFO: every trial trains to its end"
