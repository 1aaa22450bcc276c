"""The journal on disk: one SQLite file in write-ahead mode, readable while it is written."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from poptune.core.events import Event, Reported
from poptune.errors import JournalError
from poptune.journal.objects import Objects
from poptune.journal.records import Record, decode, encode
from poptune.types import TrialId

SCHEMA_VERSION = 1
_SCHEMA = f"""
    CREATE TABLE records (
        number INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        version INTEGER NOT NULL,
        trial TEXT,
        payload BLOB NOT NULL
    );
    CREATE INDEX records_of_trial ON records (trial, kind);
    PRAGMA user_version = {SCHEMA_VERSION};
"""
_INSERT = "INSERT INTO records (kind, version, trial, payload) VALUES (?, ?, ?, ?)"
# What is appended while a reader is under way is for the next one.
_UP_TO_NOW = "number <= (SELECT MAX(number) FROM records)"
_READ = f"SELECT kind, version, trial, payload FROM records WHERE {_UP_TO_NOW} ORDER BY number"  # noqa: S608
_RESULTS = f"""
    SELECT kind, version, trial, payload FROM records
    WHERE trial = ? AND kind IN ('reported', 'results') AND {_UP_TO_NOW} ORDER BY number
"""  # noqa: S608


class SqliteJournal:
    """A journal in a file. Open it with :meth:`create` or :meth:`open`."""

    def __init__(self, connection: sqlite3.Connection, path: Path, objects: Objects) -> None:
        self._connection = connection
        self._path = path
        self._objects = objects

    @classmethod
    def create(cls, path: Path, first: Sequence[Event], objects: Objects) -> SqliteJournal:
        """Begin a journal; the file appears by rename, with its first events in it."""
        aside = path.with_name(path.name + ".new")
        aside.unlink(missing_ok=True)
        try:
            with contextlib.closing(_connect(aside)) as connection:
                connection.executescript(_SCHEMA)
                cls(connection, aside, objects).append(first)
            aside.replace(path)
        except (sqlite3.Error, OSError) as error:
            raise JournalError(f"The journal {path} cannot be created: {error}") from error
        return cls.open(path, objects)

    @classmethod
    def open(cls, path: Path, objects: Objects, *, read_only: bool = False) -> SqliteJournal:
        """Open a journal that exists.

        Raises:
            JournalError: There is none, or it is of another kind or a newer version.
        """
        if not path.is_file():
            raise JournalError(f"There is no journal {path}: give the folder of an experiment")
        with contextlib.ExitStack() as on_error:
            try:
                connection, version = _connect_to_existing(path, read_only=read_only)
                on_error.callback(connection.close)
                if not read_only:
                    connection.execute("PRAGMA journal_mode = WAL")
                    connection.execute("PRAGMA synchronous = NORMAL")
            except sqlite3.Error as error:
                raise JournalError(f"The journal {path} cannot be opened: {error}") from error
            if version != SCHEMA_VERSION:
                raise JournalError(
                    f"The journal {path} has schema version {version}, but this poptune reads "
                    f"{SCHEMA_VERSION}: open it with the poptune that wrote it"
                )
            on_error.pop_all()
        return cls(connection, path, objects)

    def append(self, events: Sequence[Event]) -> None:
        records = encode(events, self._objects)
        rows = [(record.kind, record.version, record.trial, record.payload) for record in records]
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany(_INSERT, rows)
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.rollback()
                raise
        except sqlite3.Error as error:
            raise JournalError(
                f"The journal {self._path} cannot be written ({error}): make room on the disk or check its "
                "permissions, then continue with Tuner.restore"
            ) from error

    def read(self) -> Iterator[Event]:
        return self._select(_READ)

    def results(self, trial: TrialId) -> Iterator[Reported]:
        for event in self._select(_RESULTS, trial):
            assert isinstance(event, Reported)
            yield event

    def _select(self, query: str, *arguments: str) -> Iterator[Event]:
        try:
            for row in self._connection.execute(query, arguments):
                yield from decode(Record(*row), self._objects)
        except sqlite3.Error as error:
            raise JournalError(f"The journal {self._path} cannot be read: {error}") from error

    def is_completed(self) -> bool:
        """Whether the experiment came to its end."""
        query = "SELECT kind FROM records ORDER BY number DESC LIMIT 1"
        row = self._connection.execute(query).fetchone()
        return row is not None and row[0] == "completed"

    def sync(self) -> None:
        # Not by SQLite's checkpoint, which would wait for whoever is reading.
        for path in (self._path.with_name(f"{self._path.name}-wal"), self._path.parent):
            with contextlib.suppress(FileNotFoundError):
                _sync(path)

    def close(self) -> None:
        self._connection.close()


def _connect_to_existing(path: Path, *, read_only: bool) -> tuple[sqlite3.Connection, int]:
    """Return a connection and the schema's version.

    Reading a write-ahead journal takes a little writing beside it. Where the folder does not allow that and
    nobody is writing, the file is read as it lies.
    """
    options = ["mode=ro", "mode=ro&immutable=1"] if read_only else ["mode=rw"]
    for option in options:
        connection = _connect(path, option)
        try:
            return connection, int(connection.execute("PRAGMA user_version").fetchone()[0])
        except sqlite3.Error as error:
            connection.close()
            is_last = option == options[-1] or path.with_name(f"{path.name}-wal").exists()
            if is_last or not isinstance(error, sqlite3.OperationalError):
                raise
    raise AssertionError(options)


def _connect(path: Path, option: str = "mode=rwc") -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{option}", uri=True, isolation_level=None, timeout=30.0
    )


def _sync(path: Path) -> None:
    """Have what was written to a file, or the names in a folder, on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
