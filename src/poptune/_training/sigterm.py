"""Hears of SIGTERM where the main thread runs no Python, so that a handler would never be called."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable


def on_sigterm(act: Callable[[], None]) -> None:
    """Call a function, in a thread of its own, each time that this process is sent SIGTERM.

    To be called in the main thread. The signal does nothing else any more.
    """
    heard, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def listen() -> None:
        while numbers := os.read(heard, 64):
            if signal.SIGTERM in numbers:
                act()

    threading.Thread(target=listen, name="poptune-signals", daemon=True).start()
