"""Barriers: trials bound for the same name are decided together, once all of them wait there."""

from __future__ import annotations

from dataclasses import dataclass, field

from poptune._base.types import TrialId
from poptune._core.population import Trial


@dataclass(slots=True)
class _Barrier:
    bound: set[TrialId] = field(default_factory=set)
    arrived: dict[TrialId, int] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        return bool(self.arrived) and len(self.arrived) == len(self.bound)


class Barriers:
    """Which live trials are bound for which barrier, and which of them have arrived."""

    def __init__(self) -> None:
        self._barriers: dict[str, _Barrier] = {}
        self._bound_for: dict[TrialId, str] = {}

    def update(self, trial: Trial) -> None:
        """Follow a trial after a record about it: one that has ended, or rests, blocks nobody."""
        name = trial.run.barrier if trial.status.is_live and not trial.resting else None
        before = self._bound_for.get(trial.id)
        if before is not None and before != name:
            self._remove(trial.id, before)
        if name is None:
            return
        barrier = self._barriers.setdefault(name, _Barrier())
        self._bound_for[trial.id] = name
        barrier.bound.add(trial.id)
        if trial.arrived:
            barrier.arrived[trial.id] = trial.index
        else:
            barrier.arrived.pop(trial.id, None)

    def _remove(self, trial: TrialId, name: str) -> None:
        barrier = self._barriers[name]
        barrier.bound.discard(trial)
        barrier.arrived.pop(trial, None)
        del self._bound_for[trial]
        if not barrier.bound:
            del self._barriers[name]

    def first_open(self) -> tuple[str, tuple[TrialId, ...]] | None:
        """Return name and members, by index, of a barrier at which all have arrived, if there is one."""
        for name, barrier in self._barriers.items():
            if barrier.is_open:
                return name, tuple(sorted(barrier.arrived, key=barrier.arrived.__getitem__))
        return None
