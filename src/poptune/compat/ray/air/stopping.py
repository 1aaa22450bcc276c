"""What Ray takes as ``stop``, in poptune's terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from poptune import CombinedStopper, FunctionStopper, Stopper
from poptune._base.nested import flatten, number_at
from poptune.stoppers import StopFunction

Stop = Mapping[str, float] | StopFunction | Stopper
"""One rule."""


class ThresholdStopper(Stopper):
    """Ends a trial when any of these metrics reaches its value: a dict among several rules."""

    def __init__(self, thresholds: Mapping[str, float]) -> None:
        self.thresholds = dict(thresholds)

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return any(
            (value := number_at(result, metric)) is not None and value >= least
            for metric, least in self.thresholds.items()
        )


def native_stop(stop: Stop | Sequence[Stop] | None) -> Stop | None:
    """Return a ``stop`` without bools and nested dicts, and with one rule in the place of several."""
    if isinstance(stop, Mapping):
        return _numbers(stop)
    if isinstance(stop, Sequence):
        return CombinedStopper(*map(_stopper, stop))
    return stop


def _stopper(stop: Stop) -> Stopper:
    if isinstance(stop, Stopper):
        return stop
    return ThresholdStopper(_numbers(stop)) if isinstance(stop, Mapping) else FunctionStopper(stop)


def _numbers(thresholds: Mapping[str, float]) -> dict[str, float]:
    return {
        metric: int(value) if isinstance(value, bool) else value
        for metric, value in flatten(thresholds).items()
    }
