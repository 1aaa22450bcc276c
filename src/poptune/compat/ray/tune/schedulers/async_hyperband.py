"""``ray.tune.schedulers.async_hyperband``: ASHA."""

from __future__ import annotations

from dataclasses import dataclass

from poptune import schedulers
from poptune._base.arguments import reject_unknown_keywords
from poptune.compat.ray.tune.schedulers.hooks import WithoutRaysHooks

__all__ = ["ASHAScheduler", "AsyncHyperBandScheduler"]


@reject_unknown_keywords
@dataclass(frozen=True)
class AsyncHyperBandScheduler(WithoutRaysHooks, schedulers.AsyncHyperBandScheduler):
    """As :class:`poptune.schedulers.AsyncHyperBandScheduler`."""


ASHAScheduler = AsyncHyperBandScheduler
