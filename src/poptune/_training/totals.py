"""Totals of what results count per iteration: steps of an environment, and its episodes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeGuard

COUNTED = {"timesteps_this_iter": "timesteps_total", "episodes_this_iter": "episodes_total"}
"""What one iteration has made, and what that adds up to along the lineage."""
_SINCE_RESTORE = "timesteps_since_restore"


class Totals:
    """What has been counted along the lineage of a trial's state."""

    def __init__(self, at_checkpoint: Mapping[str, float]) -> None:
        self._kept = dict(at_checkpoint)
        self._next = self._kept

    def add(self, row: dict[str, Any]) -> None:
        """Give a result its totals, where it, or one before it, says what an iteration has made."""
        totals = self._kept
        for part, total in COUNTED.items():
            amount = row.get(part)
            if _is_amount(amount):
                totals = {**totals, total: totals.get(total, 0) + amount}
                if part == "timesteps_this_iter":
                    totals[_SINCE_RESTORE] = totals.get(_SINCE_RESTORE, 0) + amount
        for total, amount in totals.items():
            row.setdefault(total, amount)
        self._next = totals

    def keep(self) -> None:
        """Count on from the last result that was given its totals: it is about to be sent."""
        self._kept = self._next


def _is_amount(value: object) -> TypeGuard[int | float]:
    """Whether a metric is a finite number, which can be added up."""
    return isinstance(value, int | float) and math.isfinite(value)
