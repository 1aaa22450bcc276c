"""``ray.tune.schedulers``: the algorithms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from poptune._base.arguments import nearest
from poptune._core.scheduler import Scheduler
from poptune.compat.ray._missing import refuse_names
from poptune.compat.ray.tune.schedulers.async_hyperband import ASHAScheduler, AsyncHyperBandScheduler
from poptune.compat.ray.tune.schedulers.median_stopping_rule import MedianStoppingRule
from poptune.compat.ray.tune.schedulers.pbt import PopulationBasedTraining, PopulationBasedTrainingReplay
from poptune.compat.ray.tune.schedulers.trial_scheduler import FIFOScheduler
from poptune.errors import ConfigurationError

__all__ = [
    "ASHAScheduler",
    "AsyncHyperBandScheduler",
    "FIFOScheduler",
    "MedianStoppingRule",
    "PopulationBasedTraining",
    "PopulationBasedTrainingReplay",
    "create_scheduler",
]

__getattr__ = refuse_names(__name__, {})

_BY_NAME: dict[str, Callable[..., Scheduler[Any]]] = {
    "fifo": FIFOScheduler,
    "async_hyperband": AsyncHyperBandScheduler,
    "asynchyperband": AsyncHyperBandScheduler,
    "median_stopping_rule": MedianStoppingRule,
    "medianstopping": MedianStoppingRule,
    "pbt": PopulationBasedTraining,
    "pbt_replay": PopulationBasedTrainingReplay,
}


def create_scheduler(scheduler: str, **arguments: Any) -> Scheduler[Any]:
    """Return a scheduler by its name, such as ``"pbt"``, made with these arguments.

    Raises:
        ConfigurationError: There is none of this name.
    """
    made = _BY_NAME.get(scheduler.lower())
    if made is None:
        raise ConfigurationError(
            f"scheduler must be one of {', '.join(_BY_NAME)}, got {scheduler!r}{nearest(scheduler, _BY_NAME)}"
        )
    return made(**arguments)
