"""What all tests of schedulers start from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from poptune._base.types import Config
from poptune._core.scheduler import Scheduler

METRIC = "score"


class MakesSchedulers(ABC):
    """Says how the scheduler is made that is tested."""

    @abstractmethod
    def make_scheduler(self) -> Scheduler[Any]:
        """A scheduler as its user makes it, without a metric and a mode, which the ``TuneConfig`` names.

        Let it decide often, every two iterations or so, and by chance if it ever does: a story is short. The
        time attribute may be any; it grows by one an iteration.
        """

    def make_config(self, index: int) -> Config:
        """The config that the trial of this index begins with; by default an empty one."""
        return {}

    def scheduler(self) -> Scheduler[Any]:
        """The scheduler as a ``Tuner`` hands it to the machine."""
        return self.make_scheduler().for_space(self.make_config(0)).for_metric(METRIC, "max")

    def population(self, population: int) -> list[Config]:
        """The configs of so many trials, or of as many as the scheduler trains."""
        wanted = self.make_scheduler().needs.population
        return [self.make_config(index) for index in range(population if wanted is None else wanted)]
