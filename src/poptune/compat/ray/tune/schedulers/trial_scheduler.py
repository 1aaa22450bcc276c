"""``ray.tune.schedulers.trial_scheduler``: every trial trains to its end."""

from poptune.schedulers import FIFOScheduler

__all__ = ["FIFOScheduler"]
