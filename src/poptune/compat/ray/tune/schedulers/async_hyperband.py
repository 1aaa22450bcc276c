"""``ray.tune.schedulers.async_hyperband``: ASHA."""

from poptune.schedulers import ASHAScheduler, AsyncHyperBandScheduler

__all__ = ["ASHAScheduler", "AsyncHyperBandScheduler"]
