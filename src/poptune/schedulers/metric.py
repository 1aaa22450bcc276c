"""One metric and one mode, wherever the user named them."""

from __future__ import annotations

from typing import TypeVar

from poptune.errors import ConfigurationError

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
