"""The population in the order of its scores, kept sorted as results come in."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field

from poptune.core.population import TrialView
from poptune.types import TrialId


@dataclass(frozen=True, slots=True, order=True)
class Rank:
    """A trial's place: whatever is not finite stands below every finite score; ties stand by index."""

    is_finite: bool
    score: float
    index: int
    trial: TrialId = field(compare=False)


class Ranking:
    """Live trials that have a score, lowest first."""

    def __init__(self) -> None:
        self._ranks: list[Rank] = []
        self._of: dict[TrialId, Rank] = {}

    def __len__(self) -> int:
        return len(self._ranks)

    def __contains__(self, trial: object) -> bool:
        return trial in self._of

    def update(self, trial: TrialView) -> None:
        """Give a trial the place that its last score deserves, or none if it is dead or has no score."""
        self._remove(trial.id)
        score = trial.last_score
        if score is None or not trial.status.is_live:
            return
        finite = math.isfinite(score)
        rank = Rank(finite, score if finite else 0.0, trial.index, trial.id)
        self._of[trial.id] = rank
        insort(self._ranks, rank)

    def _remove(self, trial: TrialId) -> None:
        rank = self._of.pop(trial, None)
        if rank is not None:
            del self._ranks[bisect_left(self._ranks, rank)]

    def position(self, trial: TrialId) -> int:
        """Return how many stand below this trial."""
        return bisect_left(self._ranks, self._of[trial])

    def is_finite(self, trial: TrialId) -> bool:
        return self._of[trial].is_finite

    def highest(self, count: int) -> Sequence[Rank]:
        """Return the best ``count``, without any whose score is not finite."""
        return [rank for rank in self._ranks[len(self._ranks) - count :] if rank.is_finite]
