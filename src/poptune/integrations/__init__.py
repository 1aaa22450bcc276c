"""What poptune does for single frameworks; ``bind`` for all of them.

Each room here is the only one that imports its framework.
"""

from __future__ import annotations

from typing import Any

from poptune._training.states import BoundState
from poptune.errors import ConfigurationError
from poptune.integrations.attributes import BoundObject

__all__ = ["BoundObject", "BoundState", "bind"]


def bind(thing: Any, /, *names: str, scheduler: Any = None, **paths: str) -> BoundState:
    """Bind hyperparameters of the config to an object, for :func:`poptune.steps`.

    They are written into the object when the loop begins and after each restore, and read back: an exploit
    changes them where they are used, and one that is not there any more an iteration later is an error.

    - An optimizer of torch, or one that wraps it, as Accelerate's: its settings are those of its param
      groups; see :func:`poptune.integrations.torch.bind` for groups, schedulers and what is kept.
    - Any other object, such as a dropout layer, a data set or a sampler: its attributes. If it has
      ``state_dict()`` and ``load_state_dict()``, its state is saved and restored, too; else the config says
      it all.

    Args:
        thing: The object.
        *names: Settings or attributes that the config calls the same, for example ``"lr"``.
        scheduler: The learning-rate scheduler of an optimizer, or a list of them.
        **paths: Settings or attributes and what the config calls them, with dots into nested dicts:
            ``p="net.dropout"``.

    Returns:
        A state for ``steps``.

    Raises:
        ConfigurationError: The object has no such attribute, or is a class; or see that of torch.
        TrainableError: (in the loop) A value is missing in the config, cannot be set, or did not take.

    Example:
        >>> import poptune as tune
        >>> class Sampler:
        ...     batch_size = 8
        >>> def train(config):
        ...     sampler, seen = Sampler(), tune.StateRef(0)
        ...     for step in tune.steps(config, seen=seen, sampler=tune.bind(sampler, "batch_size")):
        ...         seen.value += sampler.batch_size
        ...         tune.report({"seen": seen.value})
    """
    if not names and not paths:
        raise ConfigurationError('bind() needs the names of what is bound, got none: bind(optimizer, "lr")')
    if hasattr(thing, "param_groups"):
        from poptune.integrations.torch import bind as bind_optimizer

        return bind_optimizer(thing, *names, scheduler=scheduler, **paths)
    if scheduler is not None:
        raise ConfigurationError(
            f"A scheduler goes with an optimizer, which has param_groups, got a {type(thing).__name__}: "
            "leave it out"
        )
    return BoundObject(thing, {**{name: name for name in names}, **paths})
