"""What the machine is told beside events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from poptune._core.retention import Retention
from poptune._core.retries import Retries
from poptune._core.trial_spec import TrialSpec


def _as_it_is(spec: TrialSpec) -> TrialSpec:
    return spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the machine must know beside the events; may differ from one session to the next.

    Args:
        slots: How many trials may run at once.
        max_residents: How many trials may be held in memory, at least ``slots``; ``None`` sets no limit.
        retries: What becomes of trials that fail.
        retention: Which checkpoints are given up.
        named: Gives a trial that is born while others train the names that the user wants.
    """

    slots: int
    max_residents: int | None = None
    retries: Retries = field(default_factory=Retries)
    retention: Retention = field(default_factory=Retention)
    named: Callable[[TrialSpec], TrialSpec] = _as_it_is
