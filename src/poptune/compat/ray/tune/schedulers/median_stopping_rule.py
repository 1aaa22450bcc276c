"""``ray.tune.schedulers.median_stopping_rule``."""

from __future__ import annotations

from dataclasses import dataclass

from poptune import schedulers
from poptune._base.arguments import reject_unknown_keywords
from poptune.compat.ray.tune.schedulers.hooks import WithoutRaysHooks
from poptune.errors import ConfigurationError


@reject_unknown_keywords
@dataclass(frozen=True)
class MedianStoppingRule(WithoutRaysHooks, schedulers.MedianStoppingRule):
    """As :class:`poptune.schedulers.MedianStoppingRule`.

    Raises:
        ConfigurationError: ``hard_stop`` is False.
    """

    hard_stop: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.hard_stop:
            raise ConfigurationError(
                "MedianStoppingRule(hard_stop=False) cannot be honoured here, where a trial is stopped and "
                "never paused: leave it out"
            )
