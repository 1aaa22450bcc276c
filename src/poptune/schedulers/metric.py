"""One metric and one mode, wherever the user named them."""

from __future__ import annotations

import copy
from functools import cached_property
from typing import Any, ClassVar, Protocol, TypeVar

from poptune._base.types import Mode
from poptune.errors import ConfigurationError


class Optimises(Protocol):
    """A scheduler, a dataclass, that has a metric and a mode."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def metric(self) -> str | None: ...
    @property
    def mode(self) -> Mode | None: ...


Optimiser = TypeVar("Optimiser", bound=Optimises)
Changed = TypeVar("Changed")


def changed(scheduler: Changed, **fields: Any) -> Changed:
    """Return a scheduler with other values in some fields; a subclass may have any ``__init__``."""
    made = copy.copy(scheduler)
    noted: dict[str, Any] = getattr(made, "__dict__", {})
    for name in [name for name in noted if isinstance(getattr(type(made), name, None), cached_property)]:
        del noted[name]
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


def with_metric(scheduler: Optimiser, metric: str | None, mode: Mode | None) -> Optimiser:
    """Return a scheduler with the metric and mode that it or the ``TuneConfig`` names.

    Args:
        scheduler: What it says itself, counts.
        metric: What the ``TuneConfig`` says.
        mode: What the ``TuneConfig`` says.

    Raises:
        ConfigurationError: The two differ.
    """
    for argument, mine, theirs in (
        ("metric", scheduler.metric, metric),
        ("mode", scheduler.mode, mode),
    ):
        if mine is not None and theirs is not None and mine != theirs:
            raise ConfigurationError(
                f"{argument} must be the same in TuneConfig and {type(scheduler).__name__}, got {theirs!r} "
                f"and {mine!r}: set it in one of the two"
            )
    return changed(scheduler, metric=scheduler.metric or metric, mode=scheduler.mode or mode)


def required(scheduler: Optimiser) -> Optimiser:
    """Return a scheduler that has both.

    Raises:
        ConfigurationError: It lacks one.
    """
    if scheduler.metric is None or scheduler.mode is None:
        raise ConfigurationError(
            f"{type(scheduler).__name__} ranks trials, so it needs a metric and a mode, got "
            f"metric={scheduler.metric!r} and mode={scheduler.mode!r}: write, for example, "
            'TuneConfig(metric="mean_accuracy", mode="max")'
        )
    return scheduler
