"""Which checkpoints a trial may give up.

What some trial would go back to is never given up: the machine passes it in ``needed``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from poptune._base.types import CheckpointId, Mode
from poptune._core.scheduler import CheckpointRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How many checkpoints of each trial stay on disk.

    Args:
        num_to_keep: Keep this many of a trial's own; ``None`` keeps all.
        attribute: Keep those with the best value of this metric instead of the newest.
        mode: Whether a larger or a smaller ``attribute`` is better.
    """

    num_to_keep: int | None = None
    attribute: str | None = None
    mode: Mode = "max"

    def superfluous(
        self,
        saved: Sequence[CheckpointRef],
        needed: Callable[[CheckpointId], bool],
        value: Callable[[CheckpointRef], float | None],
    ) -> list[CheckpointRef]:
        """Return those of a trial's checkpoints, oldest first, that may be deleted.

        Args:
            saved: The trial's own checkpoints, oldest first.
            needed: Whether some trial would go back to this checkpoint.
            value: The result's ``attribute`` at a checkpoint; ``None`` ranks lowest.
        """
        if self.num_to_keep is None or len(saved) <= self.num_to_keep:
            return []
        ranked = sorted(saved, key=lambda ref: self._merit(ref, value), reverse=True)
        surplus = {ref.id for ref in ranked[self.num_to_keep :]}
        newest = saved[-1].id
        return [ref for ref in saved if ref.id in surplus and ref.id != newest and not needed(ref.id)]

    def _merit(self, ref: CheckpointRef, value: Callable[[CheckpointRef], float | None]) -> tuple[float, int]:
        if self.attribute is None:
            return 0.0, ref.number
        found = value(ref)
        if found is None or math.isnan(found):
            return -math.inf, ref.number
        return (found if self.mode == "max" else -found), ref.number
