"""Has each operation on a run's files fail in turn, as a full or a broken disk would."""

from __future__ import annotations

import errno
import os
import sqlite3
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from poptune.errors import PoptuneError, PoptuneWarning
from torture.climbing import Climb
from torture.crashing import compare, empty, go_on, whole_of
from torture.disk import Point, listening
from torture.outcome import Outcome
from torture.tried import Tried

ERRORS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EACCES": errno.EACCES}


@dataclass
class Fault:
    """Makes one operation fail, or all from that one on."""

    at: Point
    error: str
    root: Path
    lasts: bool = False
    has_come: bool = False

    def __call__(self, point: Point) -> None:
        if point != self.at and not (self.lasts and self.has_come):
            return
        self.has_come = True
        if point.operation == "append":
            raise sqlite3.OperationalError("database or disk is full")
        raise OSError(ERRORS[self.error], os.strerror(ERRORS[self.error]), str(self.root / point.path))

    def __str__(self) -> str:
        return f"{self.error} at {self.at}{' and ever after' if self.lasts else ''}"


def fault_everywhere(
    climb: Climb,
    scratch: Path,
    *,
    errors: Sequence[str] = tuple(ERRORS),
    lasts: bool = False,
    every: int = 1,
) -> Iterator[Tried]:
    """Have each operation fail, or every so many of them; mend the disk, and go on."""
    whole = whole_of(climb, scratch)
    storage = empty(scratch / "watched")
    points: list[Point] = []
    with listening(storage, points.append, reads=not lasts):
        go_on(climb, storage)
    chosen = [point for point in points if point != Point("append", "after", point.count)][::every]
    for point in chosen:
        for error in errors:
            fault = Fault(point, error, scratch / "faulty", lasts)
            yield Tried(str(fault), _try(climb, scratch, fault, whole), len(chosen) * len(errors))


def fill_up(climb: Climb, disk: Path, *, rooms_kb: Sequence[int]) -> Iterator[Tried]:
    """Run it on a small disk of its own that has so little room left; make room, and go on.

    Args:
        climb: The experiment.
        disk: Where a file system of a few megabytes is mounted, with nothing in it.
        rooms_kb: The rooms to try.
    """
    ballast = disk / "ballast"
    for room_kb in rooms_kb:
        storage = empty(disk / "storage")
        free_bytes = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        ballast.write_bytes(bytes(max(0, free_bytes - room_kb * 1024)))
        wrong = _fit_in_trouble(climb, storage)
        ballast.unlink()
        wrong += _mended(climb, storage, None)
        yield Tried(f"{room_kb} KB of room", wrong, len(rooms_kb))


def _try(climb: Climb, scratch: Path, fault: Fault, whole: Outcome) -> list[str]:
    storage = empty(scratch / "faulty")
    with listening(storage, fault, reads=not fault.lasts):
        wrong = _fit_in_trouble(climb, storage)
    return wrong + _mended(climb, storage, whole)


def _fit_in_trouble(climb: Climb, storage: Path) -> list[str]:
    """Run it; it may come to its end or to an error of ours, and to nothing else."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoptuneWarning)
        try:
            go_on(climb, storage)
        except PoptuneError:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not what was promised
            return [f"the run ended in {type(error).__name__}: {error}"]
    return []


def _mended(climb: Climb, storage: Path, whole: Outcome | None) -> list[str]:
    """Go on where nothing fails any more, and compare."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoptuneWarning)
        try:
            go_on(climb, storage)
        except PoptuneError as error:
            return [f"it cannot be resumed: {error}"]
    return compare(climb, storage, whole, [])
