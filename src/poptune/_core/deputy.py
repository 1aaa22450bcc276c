"""A scheduler that stands in another's place, to have a say in its decisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from poptune._base.types import Mode
from poptune._core.events import Left, Planned, Reported, Restarted
from poptune._core.scheduler import Needs, PopulationView, Scheduler
from poptune._core.trial_spec import TrialSpec


class Deputy(Scheduler[Any]):
    """Is in all as the scheduler that it stands for; what is left to a subclass is how to decide.

    Args:
        scheduler: For whom; it has its metric already.
    """

    def __init__(self, scheduler: Scheduler[Any]) -> None:
        self._scheduler = scheduler

    @property
    def needs(self) -> Needs:
        return self._scheduler.needs

    def for_metric(self, metric: str | None, mode: Mode | None) -> Self:
        del metric, mode
        return self

    def init(self, trials: Sequence[TrialSpec]) -> Any:
        return self._scheduler.init(trials)

    def fold(
        self, state: Any, event: Reported | Planned | Restarted | Left, population: PopulationView
    ) -> Any:
        return self._scheduler.fold(state, event, population)

    def describe(self, state: Any, population: PopulationView) -> str:
        return self._scheduler.describe(state, population)
