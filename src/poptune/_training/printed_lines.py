"""What a process prints, in lines: written line by line, and cut into lines as a terminal would show them."""

from __future__ import annotations

import io
import sys

_LONGEST_LINE_BYTES = 1 << 16


def print_by_lines() -> None:
    """Have this process write what it prints after each line, also where that goes into a pipe."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a program may have replaced it
            stream.reconfigure(line_buffering=True)


class Lines:
    """The lines of one stream; the last of them may not be whole yet."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def add(self, data: bytes) -> list[str]:
        """Take in what was printed; return the lines that it completes."""
        *whole, rest = data.split(b"\n")
        if whole:
            whole[0] = bytes(self._rest) + whole[0]
            self._rest = bytearray(rest)
        else:
            self._rest += rest
        lines = [_shown(line) for line in whole]
        if len(self._rest) > _LONGEST_LINE_BYTES:
            self._forget_overwritten()
        if len(self._rest) > _LONGEST_LINE_BYTES:  # binary junk, most likely: it has no lines
            lines.extend(self.finish())
        return lines

    def finish(self) -> list[str]:
        """Return what came after the last line break, if anything did."""
        rest, self._rest = bytes(self._rest), bytearray()
        return [_shown(rest)] if rest else []

    def _forget_overwritten(self) -> None:
        end = len(self._rest.rstrip(b"\r"))
        del self._rest[: self._rest.rfind(b"\r", 0, end) + 1]


def _shown(line: bytes) -> str:
    """What a terminal would show of a line that a progress bar has rewritten with carriage returns."""
    return line.rstrip(b"\r").rsplit(b"\r", 1)[-1].decode(errors="replace")
