"""Has each operation on a run's files fail in turn, as a full or a broken disk would."""

from __future__ import annotations

import errno
import os
import sqlite3
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torture.climbing import Climb
from torture.crashing import Tried, compare, empty, go_on, whole_of
from torture.disk import Point, listening

from poptune.errors import PoptuneError, PoptuneWarning

ERRORS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EACCES": errno.EACCES}


@dataclass
class Fault:
    """Makes one operation fail, or all from that one on."""

    at: Point
    error: str
    lasts: bool = False
    has_come: bool = False

    def __call__(self, point: Point) -> None:
        if point != self.at and not (self.lasts and self.has_come):
            return
        self.has_come = True
        if point.operation == "append":
            raise sqlite3.OperationalError("database or disk is full")
        raise OSError(ERRORS[self.error], os.strerror(ERRORS[self.error]), point.path)

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
            fault = Fault(point, error, lasts)
            yield Tried(str(fault), _try(climb, scratch, fault, whole), len(chosen) * len(errors))


def _try(climb: Climb, scratch: Path, fault: Fault, whole: object) -> list[str]:
    storage = empty(scratch / "faulty")
    wrong = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoptuneWarning)
        try:
            with listening(storage, fault, reads=not fault.lasts):
                go_on(climb, storage)
        except PoptuneError:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not what was promised
            wrong.append(f"the run ended in {type(error).__name__}: {error}")
        try:
            go_on(climb, storage)
        except PoptuneError as error:
            return [*wrong, f"it cannot be resumed: {error}"]
    return wrong + compare(climb, storage, whole, [])
