"""Quiet lines, for logs and pipes: what happens, and now and then where the experiment stands."""

from __future__ import annotations

import re
import sys
import time
from contextlib import suppress
from typing import TextIO

from poptune._watching.progress.base import Clock, Watcher
from poptune._watching.progress.facts import RunFacts
from poptune._watching.progress.news import News
from poptune._watching.progress.view import View

_STATUS_S = 10.0
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


class LineProgress(Watcher):
    """Prints lines.

    Args:
        facts: What is known of the run.
        clock: The time in seconds.
        file: Where to; by default to where ``print`` prints at that moment.
    """

    def __init__(self, facts: RunFacts, *, clock: Clock = time.monotonic, file: TextIO | None = None) -> None:
        super().__init__(facts, clock=clock)
        self._file = file
        self._last: tuple[str, ...] = ()

    def pace(self, elapsed_s: float) -> tuple[float, float]:
        """Every 10 seconds at first, and ever more rarely, so that the log of a long run stays short."""
        pace_s = max(_STATUS_S, elapsed_s / 60)
        return pace_s, pace_s

    def most_rows(self) -> int:
        """Lines have no table."""
        return 0

    def start(self) -> None:
        """Nothing is to be prepared."""

    def show(self, view: View) -> None:
        """Print where the experiment stands, unless nothing has changed but the time."""
        standing = (view.iterations, view.facts[0], view.best)
        if standing != self._last:
            self._last = standing
            parts = [view.time, view.iterations, *view.facts, view.best]
            self._print(" · ".join(part for part in parts if part))

    def say(self, news: News) -> None:
        """Print a line."""
        self._print(news.text)

    def repeat(self, name: str, line: str) -> None:
        """Print a trial's line."""
        self._print(f"({name}) {line}")

    def stop(self) -> None:
        """Nothing is to be taken down."""

    def _print(self, text: str) -> None:
        file = self._file or sys.stdout
        plain = _ESCAPE.sub("", text)
        encoding = getattr(file, "encoding", None) or "utf-8"
        with suppress(OSError):  # a reader that went away is no reason to end the training
            print(plain.encode(encoding, "replace").decode(encoding), file=file, flush=True)
