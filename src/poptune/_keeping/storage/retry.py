"""Trying again: after a pause that doubles, and that no two processes draw alike."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from poptune._keeping.storage.remote_errors import RemoteError

_Made = TypeVar("_Made")
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 20.0
_draws = random.SystemRandom()  # nobody's seed, and nobody's state


class BackOff:
    """The pauses between attempts: doubled after each, with a jitter of half their length."""

    def __init__(self, first_s: float = _FIRST_PAUSE_S, longest_s: float = _LONGEST_PAUSE_S) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._next_s = first_s

    def pause_s(self) -> float:
        """Return for how long to rest before the next attempt."""
        pause_s, self._next_s = self._next_s, min(2 * self._next_s, self._longest_s)
        return pause_s * _draws.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Begin anew, after a success."""
        self._next_s = self._first_s


def persistently(
    act: Callable[[], _Made],
    *,
    patience_s: float,
    rest: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> _Made:
    """Do something again and again until it succeeds.

    Args:
        act: What to do; harmless if done twice.
        patience_s: For how long, in seconds, new attempts are begun.
        rest: Waits for a number of seconds.
        clock: The time in seconds.

    Raises:
        RemoteError: It never succeeded, or trying again is of no use.
    """
    give_up_s, back_off = clock() + patience_s, BackOff()
    while True:
        try:
            return act()
        except RemoteError as error:
            pause_s = back_off.pause_s()
            if error.lasts or clock() + pause_s > give_up_s:
                raise
        rest(pause_s)
