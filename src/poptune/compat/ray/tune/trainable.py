"""``ray.tune.trainable``: the class form, with what Ray's base class knows of its trial."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import poptune
from poptune import get_context, with_parameters
from poptune.compat.ray.tune.execution.placement_groups import native_resources
from poptune.errors import ConfigurationError
from poptune.runtime import current
from poptune.runtime.trainable import Prepared

__all__ = ["Trainable", "with_parameters", "with_resources"]

_NEVER_CALLED = {
    "_setup": "call it setup",
    "_train": "call it step",
    "_save": "call it save_checkpoint",
    "_restore": "call it load_checkpoint",
    "_stop": "call it cleanup",
    "default_resource_request": "pass tune.with_resources(trainable, {...})",
    "log_result": "log from a tune.Callback",
}


class Trainable(poptune.Trainable):
    """As :class:`poptune.Trainable`.

    Raises:
        ConfigurationError: A subclass defines what Ray calls but nobody calls here.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, remedy in _NEVER_CALLED.items():
            if name in vars(cls):
                raise ConfigurationError(f"{cls.__name__}.{name} is never called here: {remedy}")

    @property
    def iteration(self) -> int:
        """How many iterations lie behind the trial's present state; in the first ``step`` it is 0."""
        return current.session("Trainable.iteration").iterations_made

    @property
    def training_iteration(self) -> int:
        """The same as :attr:`iteration`."""
        return self.iteration

    @property
    def trial_id(self) -> str:
        """The trial's id."""
        return get_context().trial_id

    @property
    def trial_name(self) -> str:
        """The trial's name."""
        return get_context().trial_name

    @property
    def logdir(self) -> str:
        """The trial's folder."""
        return get_context().trial_dir

    @property
    def trial_resources(self) -> dict[str, float]:
        """What the trial may use."""
        return dict(get_context().trial_resources)

    def get_config(self) -> dict[str, Any]:
        """Return the config now."""
        return self.config


def with_resources(trainable: Callable[..., Any] | Prepared, resources: object) -> Prepared:
    """Say what one trial needs, as a dict or as a :class:`PlacementGroupFactory` of one bundle."""
    native: Any = trainable
    return poptune.with_resources(native, native_resources(resources))
