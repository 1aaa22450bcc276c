"""The small types that every room of the library shares."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal, NewType

from msgspec import Struct

TrialId = NewType("TrialId", str)
"""Names a trial within its experiment, for example ``69158_00000``."""

CheckpointId = NewType("CheckpointId", str)
"""Names one saved state for ever, for example ``69158_00000/checkpoint_000004``."""

Mode = Literal["min", "max"]
"""Whether a smaller or a larger metric is better."""


class Objective(Struct, frozen=True):
    """What is optimised: a metric, and which way."""

    metric: str
    mode: Mode


Config = dict[str, Any]
"""A trial's hyperparameters; values may be nested dicts."""

Metrics = Mapping[str, Any]
"""What one ``report()`` said: plain numbers, strings, None, and lists or dicts of them."""


class TrialStatus(StrEnum):
    """Where a trial stands."""

    PENDING = "PENDING"
    """Has no process: it was not started yet, or its process was given up for another trial."""
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    """Held in memory, suspended inside ``report()``."""
    TERMINATED = "TERMINATED"
    """Ended well."""
    ERROR = "ERROR"
    """Failed more often than its retries allow."""

    @property
    def is_live(self) -> bool:
        """Whether the trial may still train."""
        return self is not TrialStatus.TERMINATED and self is not TrialStatus.ERROR
