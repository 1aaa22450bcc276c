"""Slots and residents: who trains now, who waits in memory, and who waits without a process."""

from __future__ import annotations

import heapq

from poptune._base.types import TrialId, TrialStatus
from poptune._core.population import Trial


class Slots:
    """The books on slots: at most ``total`` trials run; the youngest of those in line goes first."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.running: set[TrialId] = set()
        self._resident: dict[TrialId, None] = {}
        self._pending: set[TrialId] = set()
        self._unaware: set[TrialId] = set()
        self._line: list[tuple[float, int, TrialId]] = []
        self._in_line: dict[TrialId, int] = {}
        self._tickets = 0

    @property
    def residents(self) -> int:
        """How many trials are held in memory."""
        return len(self._resident)

    def is_resident(self, trial: TrialId) -> bool:
        return trial in self._resident

    def suspended(self) -> list[TrialId]:
        """Return the residents that do not run, the longest-waiting first."""
        return [trial for trial in self._resident if trial not in self.running]

    def status(self, trial: TrialId) -> TrialStatus:
        if trial in self.running:
            return TrialStatus.RUNNING
        return TrialStatus.PAUSED if trial in self._resident else TrialStatus.PENDING

    def set_pending(self, trial: TrialId, *, load: bool) -> None:
        """Note whether the trial must take over a checkpoint before it trains on."""
        if load:
            self._pending.add(trial)

    def has_pending(self, trial: TrialId) -> bool:
        return trial in self._pending

    def set_unaware(self, trial: TrialId) -> None:
        """Note that the trial's code does not know yet what its config is now."""
        self._unaware.add(trial)

    def is_unaware(self, trial: TrialId) -> bool:
        return trial in self._unaware

    def settle(self, trial: TrialId) -> None:
        """Note that the trial's code has been entered or answered: it is resident and up to date."""
        self._pending.discard(trial)
        self._unaware.discard(trial)
        self._resident[trial] = None

    def enqueue(self, trial: Trial) -> None:
        """Stand in line: the youngest first, and of one age whoever came first."""
        self._tickets += 1
        self._in_line[trial.id] = self._tickets
        heapq.heappush(self._line, (trial.age, self._tickets, trial.id))

    def _head(self) -> tuple[float, int, TrialId] | None:
        while self._line and self._in_line.get(self._line[0][2]) != self._line[0][1]:
            heapq.heappop(self._line)
        return self._line[0] if self._line else None

    def must_yield(self, trial: Trial, reached: float) -> bool:
        """Whether some trial in line is at least one whole stretch behind the age that this one reached.

        What it reached counts, not the age of a checkpoint that it is about to load: or else trials that
        copy the one in line, and so fall back to its age, would keep it waiting for ever.
        """
        head = self._head()
        if head is None or trial.run.until is None or not trial.run.yields:
            return False
        stretch = trial.run.until - trial.age
        return head[0] + stretch <= reached

    @property
    def is_idle(self) -> bool:
        """Whether a slot is free, and nobody is in line for it."""
        return self._head() is None and len(self.running) < self.total

    def next(self) -> TrialId | None:
        """Return who may have the next free slot; ``None`` if nobody waits or none is free."""
        head = self._head()
        return head[2] if head and len(self.running) < self.total else None

    def occupy(self, trial: TrialId) -> None:
        self._in_line.pop(trial, None)
        self.running.add(trial)

    def free(self, trial: TrialId) -> None:
        """Give up the slot; a resident goes to the end of those that wait in memory."""
        self.running.discard(trial)
        if trial in self._resident:
            del self._resident[trial]
            self._resident[trial] = None

    def forget(self, trial: TrialId) -> None:
        """The trial holds nothing any more: no slot, no memory, no place in line."""
        self.running.discard(trial)
        self._resident.pop(trial, None)
        self._pending.discard(trial)
        self._unaware.discard(trial)
        self._in_line.pop(trial, None)
