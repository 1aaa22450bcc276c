"""What becomes of trials that fail: how often they may try again, and when."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from poptune._base.types import TrialId
from poptune._core.population import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How failures are answered.

    Args:
        per_trial: How often a trial is restarted; -1 sets no limit.
        in_all: How many failures of all trials together are answered by a restart; ``None`` sets no limit.
        pause_s: How long a trial waits before its first restart; twice as long before each further one.
        longest_pause_s: It never waits longer.
        rebirth: Whether a trial that has failed too often is reborn as a copy of another.
        fail_fast: Whether the first trial that is given up ends the experiment.
    """

    per_trial: int = 0
    in_all: int | None = None
    pause_s: float = 0.0
    longest_pause_s: float = 600.0
    rebirth: bool = False
    fail_fast: bool = False

    def allow(self, trial: Trial, failures_in_all: int) -> bool:
        """Whether a trial that has just failed is restarted."""
        if self.in_all is not None and failures_in_all > self.in_all:
            return False
        return self.per_trial < 0 or trial.failures - trial.forgiven <= self.per_trial

    def pause_of(self, trial: Trial) -> float:
        """Return how long a trial waits that has just failed and is to be restarted, in seconds."""
        doublings = min(trial.failures - trial.forgiven - 1, 60)
        return min(self.pause_s * 2.0**doublings, self.longest_pause_s)


class Backoff:
    """Which trials wait after a failure, and until when."""

    def __init__(self) -> None:
        self._until: list[tuple[float, int, TrialId]] = []

    @property
    def next_s(self) -> float | None:
        """When the first of them may go on; ``None`` if nobody waits."""
        return self._until[0][0] if self._until else None

    def add(self, trial: Trial, until_s: float) -> None:
        """Have a trial wait."""
        heapq.heappush(self._until, (until_s, trial.index, trial.id))

    def pop_due(self, now_s: float) -> list[TrialId]:
        """Return those that have waited long enough, in the order of their turn."""
        due = []
        while self._until and self._until[0][0] <= now_s:
            due.append(heapq.heappop(self._until)[2])
        return due
