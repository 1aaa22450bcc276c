"""Which checkpoints are still needed, counted as trials come to depend on them and let go of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from poptune._base.nested import value_at
from poptune._base.types import CheckpointId, TrialId
from poptune._core.population import Population, Trial
from poptune._core.retention import Retention
from poptune._core.scheduler import CheckpointRef


class Pins:
    """Pins the checkpoint that each trial would go back to, or ended with, whoever saved it.

    An exploit makes the donor's checkpoint the recipient's own way back in the very record that decides it,
    so the pin is there before anyone acts, and stays until the recipient has saved for itself.
    """

    def __init__(self, retention: Retention) -> None:
        self._retention = retention
        self._pins: Counter[CheckpointId] = Counter()
        self._pinned_by: dict[TrialId, CheckpointRef] = {}
        self._touched: set[TrialId] = set()
        """Whose checkpoints have changed, or were let go of, since it was last asked what may go."""
        self._values: dict[CheckpointId, float | None] = {}

    def update(self, trial: Trial) -> None:
        """Follow a trial after a record about it."""
        before = self._pinned_by.get(trial.id)
        now = trial.checkpoint
        if now is not None and now.report == trial.reports and now.trial == trial.id:
            self._values.setdefault(now.id, self._value(trial))
        if before == now:
            return
        self._touched.add(trial.id)
        if now is not None:
            self._pins[now.id] += 1
            self._pinned_by[trial.id] = now
        else:
            self._pinned_by.pop(trial.id, None)
        if before is not None:
            self._pins[before.id] -= 1
            if not self._pins[before.id]:
                del self._pins[before.id]
                self._touched.add(before.trial)

    def _value(self, trial: Trial) -> float | None:
        attribute = self._retention.attribute
        value = value_at(trial.metrics, attribute) if attribute else None
        return float(value) if isinstance(value, int | float) else None

    def let_go(self, unpinned: Iterable[CheckpointId]) -> None:
        """Look again at the trials whose checkpoints no scheduler keeps any more."""
        self._touched.update(TrialId(checkpoint.rpartition("/")[0]) for checkpoint in unpinned)

    def superfluous(self, population: Population) -> list[CheckpointRef]:
        """Return what may go, of the trials whose checkpoints were touched since this was last asked."""
        if not self._touched:
            return []

        def is_needed(checkpoint: CheckpointId) -> bool:
            return self._pins[checkpoint] > 0 or checkpoint in population.pinned

        gone = [
            ref
            for owner in sorted(self._touched)
            for ref in self._retention.superfluous(
                population[owner].saved, is_needed, lambda ref: self._values.get(ref.id)
            )
        ]
        self._touched.clear()
        for ref in gone:
            self._values.pop(ref.id, None)
        return gone
