"""What all tests of executors start from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from poptune._running.executors.base import Executor


class MakesExecutors(ABC):
    """Says how the executor is made that is tested."""

    has_processes: ClassVar[bool] = True
    """Whether each trial that is held in memory is held by a process of its own."""

    @abstractmethod
    def make_executor(self, slots: int, max_resident_trials: int | None = None) -> Executor:
        """An executor that runs this many trials at once."""
