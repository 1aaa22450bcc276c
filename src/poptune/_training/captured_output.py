"""What a process prints, by whatever means, caught before it goes where it would have gone."""

from __future__ import annotations

import contextlib
import os
import select

from poptune._training.printed_lines import Lines, print_by_lines

STREAMS = {"stdout": 1, "stderr": 2}
_READ_BYTES = 65536


class Captured:
    """The standard streams of this process, from the making of this object on.

    Descriptors are replaced, not ``sys.stdout``: so what a library written in C prints, or a program that the
    training code starts, is caught as well.
    """

    def __init__(self) -> None:
        self._before: dict[str, int] = {}
        self._ends: dict[str, int] = {}
        self._lines = {name: Lines() for name in STREAMS}
        print_by_lines()
        for name, descriptor in STREAMS.items():
            self._before[name] = os.dup(descriptor)
            self._ends[name], theirs = os.pipe()
            os.set_blocking(self._ends[name], False)
            os.dup2(theirs, descriptor)
            os.close(theirs)

    @property
    def log(self) -> int:
        """The descriptor of where ``stderr`` went before."""
        return self._before["stderr"]

    def wait(self) -> None:
        """Return when there is something to read."""
        select.select(list(self._ends.values()), [], [])

    def read(self) -> list[tuple[str, str]]:
        """Return the whole lines that were printed lately, each with the name of its stream."""
        found = []
        for name, end in self._ends.items():
            with contextlib.suppress(BlockingIOError):
                while data := os.read(end, _READ_BYTES):
                    found += [(name, line) for line in self._lines[name].add(data)]
        return found

    def finish(self) -> list[tuple[str, str]]:
        """The same, and what was printed without a line's end as a line."""
        found = self.read()
        return found + [(name, line) for name, lines in self._lines.items() for line in lines.finish()]
