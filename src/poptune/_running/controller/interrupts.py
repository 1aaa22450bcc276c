"""Ctrl-C asks for a graceful end; a second Ctrl-C does not wait for it."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class InterruptedAtOnceError(KeyboardInterrupt):
    """A second signal has come while a run was being ended."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number


class Interrupts:
    """While entered, the first SIGINT or SIGTERM is only noted; the next raises.

    Raises:
        InterruptedAtOnceError: The next has come.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {which: signal.signal(which, self._note) for which in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for which, handler in self._before.items():
            signal.signal(which, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.requested:
            raise InterruptedAtOnceError(number)
        self.requested = True
