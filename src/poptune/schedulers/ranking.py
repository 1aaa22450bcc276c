"""The population in the order of its scores, kept sorted as results come in."""

from __future__ import annotations

import math
from collections.abc import Iterable

from poptune._base.types import TrialId
from poptune._core.population import TrialView
from poptune.schedulers.sorted_keys import SortedKeys

_Key = tuple[bool, float, int]
"""Whether a score is finite, the score or 0, and the trial's index: as tuples stand, so do trials."""


class Ranking:
    """Live trials that have a score, lowest first.

    Whatever is not finite stands below every finite score; ties stand by index.
    """

    def __init__(self) -> None:
        self._keys: SortedKeys[_Key] = SortedKeys()
        self._key_of: dict[TrialId, _Key] = {}
        self._trial_of: dict[int, TrialId] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, trial: object) -> bool:
        return trial in self._key_of

    def update(self, trial: TrialView) -> None:
        """Give a trial the place that its last score deserves, or none if it is dead or has no score."""
        trial_id, score = trial.id, trial.last_score
        before, now = self._key_of.get(trial_id), None
        if score is not None and trial.status.is_live:
            now = (True, score, trial.index) if math.isfinite(score) else (False, 0.0, trial.index)
        if now == before:
            return
        if before is not None:
            self._keys.remove(before)
            del self._key_of[trial_id]
        if now is not None:
            self._keys.add(now)
            self._key_of[trial_id] = now
            self._trial_of[trial.index] = trial_id

    def position(self, trial: TrialId) -> int:
        """Return how many stand below this trial."""
        return self._keys.position(self._key_of[trial])

    def at(self, position: int) -> TrialId:
        """Return the trial with this many below it.

        Raises:
            IndexError: There are not so many.
        """
        return self._trial_of[self._keys[position][2]]

    def is_finite(self, trial: TrialId) -> bool:
        """Whether a trial's score is a finite number."""
        return self._key_of[trial][0]

    @property
    def first_finite(self) -> int:
        """The position of the lowest finite score: how many are not finite."""
        return self._keys.position((True, -math.inf, -1))


def ranked(trials: Iterable[TrialView]) -> Ranking:
    """Return the ranking of these trials; for who asks so seldom that it need not be kept."""
    ranking = Ranking()
    for trial in trials:
        ranking.update(trial)
    return ranking
