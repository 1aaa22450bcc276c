"""``ray.tune.schedulers.trial_scheduler``: every trial trains to its end."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from poptune import schedulers
from poptune._base.arguments import reject_unknown_keywords
from poptune._base.types import Mode
from poptune._core.scheduler import Needs
from poptune.compat.ray.tune.schedulers.hooks import WithoutRaysHooks
from poptune.schedulers.metric import with_metric

__all__ = ["FIFOScheduler"]


@reject_unknown_keywords
@dataclass(frozen=True, kw_only=True)
class FIFOScheduler(WithoutRaysHooks, schedulers.FIFOScheduler):
    """As :class:`poptune.schedulers.FIFOScheduler`; but each result must have the metric that is named.

    Args:
        require_attrs: Whether that is so.
    """

    require_attrs: bool = True

    @property
    def needs(self) -> Needs:
        return replace(super().needs, require_attrs=self.require_attrs)

    def for_metric(self, metric: str | None, mode: Mode | None) -> FIFOScheduler:
        return with_metric(self, metric, mode)
