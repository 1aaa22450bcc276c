"""What torch's learning-rate schedulers keep under private names: all that is read or written of it."""

from __future__ import annotations

import copy
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from torch import Tensor


def members(scheduler: Any) -> Sequence[Any]:
    """Return the schedulers that one consists of: none, for most."""
    return getattr(scheduler, "_schedulers", ())


def present_member(sequential: Any) -> Any:
    """Return the scheduler whose turn it is in a ``SequentialLR``."""
    return members(sequential)[bisect_right(sequential._milestones, sequential.last_epoch)]


def tell_rates(scheduler: Any, groups: Sequence[dict[str, Any]]) -> None:
    """Have ``get_last_lr()`` say what the param groups have now."""
    if hasattr(scheduler, "_last_lr"):
        scheduler._last_lr = [_copied(group["lr"]) for group in groups]


class _Step:
    """Stands in for the step of an optimizer, and says that a scheduler watches it, which each asks for."""

    _wrapped_by_lr_sched = True


class Stage:
    """Stands in for an optimizer while copies of its schedulers take a step."""

    step = _Step()

    def __init__(self, groups: Sequence[dict[str, Any]]) -> None:
        self._opt_called = True
        self.param_groups = [
            {key: _copied(value) for key, value in group.items() if key != "params"} for group in groups
        ]


def staged(scheduler: Any, stage: Stage) -> Any:
    """Return a copy of a scheduler, as far as a step changes it, that sets the rates of a stage."""
    twin = copy.copy(scheduler)
    twin.optimizer = stage
    for key, value in vars(scheduler).items():
        if key == "_schedulers":
            twin._schedulers = [staged(member, stage) for member in value]
        elif isinstance(value, list):
            setattr(twin, key, list(map(_copied, value)))
    return twin


def _copied(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value
