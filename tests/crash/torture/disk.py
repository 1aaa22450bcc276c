"""Hears of every change to a folder before it is made, and may refuse it.

Python itself announces what it does to files (audit events), wherever in the library that is. What SQLite
does it does by itself: the journal's appends are listened to instead.
"""

from __future__ import annotations

import os
import re
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

from poptune._keeping.journal import SqliteJournal

_RANDOM = re.compile(r"(?<=checkpoint_)(\d+)-[0-9a-f]{8}|[0-9a-f]{5}(?=_\d{5})|-probe-\w+")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_DESCRIPTOR_AT = {"os.mkdir": 2, "os.rename": 2, "os.remove": 1, "os.rmdir": 1}
_READING = {"os.listdir", "os.scandir"}


@dataclass(frozen=True, order=True)
class Point:
    """One moment of a run: before this operation, the so-and-so-manieth of its kind on that file."""

    operation: str
    path: str
    count: int = 1

    def __str__(self):
        return f"{self.operation} {self.path} ({self.count})"


class Listening:
    """Counts what is done in a folder, and tells ``act`` of each before it is done."""

    def __init__(self, root: Path, act: Callable[[Point], None], *, reads: bool) -> None:
        self._root = f"{root}{os.sep}"
        self._act = act
        self._reads = reads
        self._counts: Counter[Point] = Counter()
        self._lock = threading.Lock()

    def hear(self, event: str, arguments: tuple[object, ...]) -> None:
        """Be told of an audit event."""
        if event == "open":
            path, mode, flags = arguments
            writes = bool(flags & _WRITING) if isinstance(flags, int) else "r" not in str(mode)
            if writes or self._reads:
                self._note("write" if writes else "read", path, -1)
        elif event in _DESCRIPTOR_AT:
            self._note(event[3:], arguments[0], arguments[_DESCRIPTOR_AT[event]])
        elif event in _READING and self._reads:
            self._note("list", arguments[0], -1)

    def _note(self, operation: str, path: object, folder: object) -> None:
        if not isinstance(path, str | os.PathLike):
            return
        name = os.fspath(path)
        if isinstance(folder, int) and folder >= 0:
            name = f"{Path(f'/proc/self/fd/{folder}').readlink()}/{name}"
        if isinstance(name, str) and name.startswith(self._root):
            self.note(operation, name[len(self._root) :])

    def note(self, operation: str, path: str) -> None:
        """Count one operation, and tell of it."""
        kind = Point(operation, _RANDOM.sub(lambda found: found[1] or "", path))
        with self._lock:
            self._counts[kind] += 1
            count = self._counts[kind]
        self._act(replace(kind, count=count))


class _Broken:
    """A connection to a database that cannot be written."""

    def __init__(self, error: sqlite3.Error) -> None:
        self._error = error

    def execute(self, *_: object) -> None:
        raise self._error

    def rollback(self) -> None:
        pass


_listening: list[Listening] = []
_hooks: list[Callable[..., None]] = []


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if _listening:
        _listening[-1].hear(event, arguments)


@contextmanager
def listening(root: Path, act: Callable[[Point], None], *, reads: bool = False) -> Iterator[Listening]:
    """Have ``act`` told of all that is done in a folder; what it raises is raised in the place of that."""
    if not _hooks:
        _hooks.append(_hook)
        sys.addaudithook(_hook)  # which can never be removed
    heard = Listening(root, act, reads=reads)
    append = SqliteJournal.append

    def announced(journal: SqliteJournal, events: object) -> None:
        try:
            heard.note("append", "before")
        except sqlite3.Error as error:
            with mock.patch.object(journal, "_connection", _Broken(error)):
                append(journal, events)  # which has its own way to answer that
        append(journal, events)
        heard.note("append", "after")

    with mock.patch.object(SqliteJournal, "append", announced):
        _listening.append(heard)
        try:
            yield heard
        finally:
            _listening.pop()
