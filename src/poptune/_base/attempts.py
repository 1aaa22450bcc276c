"""Calls of code that is not ours, such as a user's: it may raise anything, and what it raises is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

_Made = TypeVar("_Made")
_Instead = TypeVar("_Instead")


def attempt(act: Callable[[], _Made], *, or_else: Callable[[Exception], _Instead]) -> _Made | _Instead:
    """Return what a call returns; or, where it raises, what another makes of the error.

    Where code of ours fails, that is a mistake to be seen, so this is for others' alone.

    Args:
        act: Runs their code.
        or_else: Is given the error, whose traceback begins with the frame of `act`.

    Example:
        >>> attempt(lambda: int("1"), or_else=lambda error: 0)
        1
        >>> attempt(lambda: int("one"), or_else=lambda error: 0)
        0
    """
    try:
        return act()
    except Exception as error:  # noqa: BLE001 - nobody knows what the code of others raises
        trace = error.__traceback__
        return or_else(error.with_traceback(trace and trace.tb_next))
