"""One metric and one mode, wherever the user named them."""

from __future__ import annotations

from typing import Protocol, TypeVar

from poptune.errors import ConfigurationError
from poptune.types import Mode

Name = TypeVar("Name", bound=str)


def agreed(argument: str, mine: Name | None, theirs: Name | None, *, owner: object) -> Name | None:
    """Return what the scheduler or the ``TuneConfig`` says of an argument.

    Args:
        argument: ``"metric"`` or ``"mode"``.
        mine: What the scheduler says.
        theirs: What the ``TuneConfig`` says.
        owner: The scheduler.

    Raises:
        ConfigurationError: The two differ.
    """
    if mine is not None and theirs is not None and mine != theirs:
        raise ConfigurationError(
            f"{argument} must be the same in TuneConfig and {type(owner).__name__}, got {theirs!r} "
            f"and {mine!r}: set it in one of the two"
        )
    return mine if mine is not None else theirs


class Optimises(Protocol):
    """A scheduler that has a metric and a mode."""

    @property
    def metric(self) -> str | None: ...
    @property
    def mode(self) -> Mode | None: ...


Optimiser = TypeVar("Optimiser", bound=Optimises)


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
