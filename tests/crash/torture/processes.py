"""The processes of a run: who is who, and whether any is left."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

MARK = "POPTUNE_TORTURE"
"""The environment variable that all processes of a run have inherited."""


@dataclass(frozen=True)
class Family:
    """Those that are alive: the controller's launcher, and the launcher's workers."""

    launchers: tuple[int, ...]
    workers: tuple[int, ...]

    @classmethod
    def of(cls, controller: int) -> Family:
        """Look who is there now."""
        launchers = _children(controller)
        return cls(launchers, tuple(worker for launcher in launchers for worker in _children(launcher)))


def _children(pid: int) -> tuple[int, ...]:
    try:
        return tuple(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except (FileNotFoundError, ProcessLookupError):
        return ()


def marked(mark: str) -> list[int]:
    """Return the processes that carry a mark; what is dead and only not yet buried does not."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                variables = (entry / "environ").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if wanted in variables:
                found.append(int(entry.name))
    return found


def left_after(mark: str, deadline_s: float) -> list[int]:
    """Return who carries the mark still when the time is over; none if all are gone before."""
    deadline = time.monotonic() + deadline_s
    while (found := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found
