"""The journal on disk: one SQLite file in write-ahead mode, readable while it is written."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from poptune._base.types import TrialId
from poptune._core.events import Created, Event, Reported, Resumed
from poptune._keeping.journal.objects import Objects
from poptune._keeping.journal.records import Record, decode, encode
from poptune.errors import JournalError

SCHEMA_VERSION = 3
"""1: one event a record. 2: results of a trial that follow each other may share one; pauses, rebirths.
3: trials may keep their checkpoints apart from their folders; those that have ended may go on."""
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
_MIGRATIONS: dict[int, tuple[str, ...]] = {1: (), 2: ()}
"""The SQL statements that make a journal of an older version one of the next.

Who only reads does not carry them out, so each version's records must be read by the same queries.
"""
_OLDEST = min(_MIGRATIONS)
_INSERT = "INSERT INTO records (kind, version, trial, payload) VALUES (?, ?, ?, ?)"
_INSERT_NUMBERED = "INSERT INTO records (number, kind, version, trial, payload) VALUES (?, ?, ?, ?, ?)"
_READ_NUMBERED = """
    SELECT number, kind, version, trial, payload FROM records
    WHERE number >= ? AND (? IS NULL OR number <= ?) ORDER BY number
"""
# Up to the number that is the last now: what is appended while a reader is under way is for the next one.
_READ = """
    SELECT kind, version, trial, payload FROM records
    WHERE number <= (SELECT MAX(number) FROM records) ORDER BY number
"""
_RESULTS = """
    SELECT kind, version, trial, payload FROM records
    WHERE trial = ? AND kind IN ('reported', 'results') AND number <= (SELECT MAX(number) FROM records)
    ORDER BY number
"""
_BEGINNINGS = """
    SELECT kind, version, trial, payload FROM records
    WHERE trial IS NULL AND kind IN ('created', 'resumed') ORDER BY number
"""


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
        try:
            for suffix in ("", "-journal", "-wal", "-shm"):  # SQLite would take them for its own
                aside.with_name(aside.name + suffix).unlink(missing_ok=True)
            with contextlib.closing(_connect(aside)) as connection:
                connection.executescript(_SCHEMA)
                cls(connection, aside, objects).append(first)
            aside.replace(path)
        except (sqlite3.Error, OSError) as error:
            raise JournalError(f"The journal {path} cannot be created: {error}") from error
        return cls.open(path, objects)

    @classmethod
    def rebuild(cls, path: Path, records: Iterable[tuple[int, Record]]) -> None:
        """Make a journal of another's records, with their numbers; it appears by rename."""
        aside = path.with_name(path.name + ".new")
        try:
            aside.unlink(missing_ok=True)
            with contextlib.closing(_connect(aside)) as connection:
                connection.executescript(_SCHEMA)
                with _transaction(connection):
                    connection.executemany(
                        _INSERT_NUMBERED,
                        ((number, *_row(record)) for number, record in records),
                    )
            aside.replace(path)
        except (sqlite3.Error, OSError) as error:
            raise JournalError(f"The journal {path} cannot be created: {error}") from error

    @classmethod
    def open(cls, path: Path, objects: Objects, *, read_only: bool = False) -> SqliteJournal:
        """Open a journal that exists; one of an older version becomes one of this version, unless only read.

        Raises:
            JournalError: There is none, or it is of another kind or a newer version.
        """
        if not path.is_file():
            raise JournalError(f"There is no journal {path}: give the folder of an experiment")
        with contextlib.ExitStack() as on_error:
            try:
                connection, version = _connect_to_existing(path, read_only=read_only)
                on_error.callback(connection.close)
                _check_version(version, path)
                if not read_only:
                    connection.execute("PRAGMA journal_mode = WAL")
                    connection.execute("PRAGMA synchronous = NORMAL")
                    _migrate(connection, path)
            except sqlite3.Error as error:
                raise JournalError(f"The journal {path} cannot be opened: {error}") from error
            on_error.pop_all()
        return cls(connection, path, objects)

    def append(self, events: Sequence[Event]) -> None:
        records = encode(events, self._objects)
        try:
            with _transaction(self._connection):
                self._connection.executemany(_INSERT, map(_row, records))
        except sqlite3.Error as error:
            raise JournalError(
                f"The journal {self._path} cannot be written ({error}): make room on the disk or check its "
                "permissions, then continue with Tuner.restore"
            ) from error

    def records(self, first: int = 1, last: int | None = None) -> Iterator[tuple[int, Record]]:
        """Return the records from one number to another, as they are kept, each with its number."""
        try:
            yield from (
                (number, Record(*row))
                for number, *row in self._connection.execute(_READ_NUMBERED, (first, last, last))
            )
        except sqlite3.Error as error:
            raise JournalError(f"The journal {self._path} cannot be read: {error}") from error

    def copy_to(self, path: Path) -> None:
        """Write the whole journal, as it is now, into one new file."""
        try:
            with contextlib.closing(_connect(path)) as connection:
                self._connection.backup(connection)
                connection.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as error:
            raise JournalError(f"The journal {self._path} cannot be copied to {path}: {error}") from error

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
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise JournalError(f"The journal {self._path} cannot be read: {error}") from error

    def beginnings(self) -> Iterator[Created | Resumed]:
        """Read how each session has begun, without what came after."""
        for event in self._select(_BEGINNINGS):
            assert isinstance(event, Created | Resumed)
            yield event

    def is_completed(self) -> bool:
        """Whether the experiment came to its end."""
        query = "SELECT kind FROM records ORDER BY number DESC LIMIT 1"
        try:
            row = self._connection.execute(query).fetchone()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise JournalError(f"The journal {self._path} cannot be read: {error}") from error
        return row is not None and row[0] == "completed"

    def sync(self) -> None:
        # Not by SQLite's checkpoint, which would wait for whoever is reading.
        for path in (self._path.with_name(f"{self._path.name}-wal"), self._path.parent):
            with contextlib.suppress(FileNotFoundError):
                _sync(path)

    def close(self) -> None:
        self._connection.close()


def _row(record: Record) -> tuple[str, int, str | None, bytes]:
    return record.kind, record.version, record.trial, record.payload


def _connect_to_existing(path: Path, *, read_only: bool) -> tuple[sqlite3.Connection, int]:
    """Return a connection and the schema's version.

    Reading a write-ahead journal takes a little writing beside it. Where the folder does not allow that and
    nobody is writing, the file is read as it lies.
    """
    options = ["mode=ro", "mode=ro&immutable=1"] if read_only else ["mode=rw"]
    for option in options:
        connection = _connect(path, option)
        try:
            return connection, _version(connection)
        except sqlite3.Error as error:
            connection.close()
            is_last = option == options[-1] or path.with_name(f"{path.name}-wal").exists()
            if is_last or not isinstance(error, sqlite3.OperationalError):
                raise
    raise AssertionError(options)


def _check_version(version: int, path: Path) -> None:
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"The journal {path} has schema version {version}, but this poptune reads versions up to "
            f"{SCHEMA_VERSION}: open it with the poptune that wrote it, or a newer one"
        )
    if version < _OLDEST:
        raise JournalError(
            f"The journal of an experiment has a schema version of {_OLDEST} or more, but {path} has "
            f"{version}: it was not written by poptune"
        )


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring an older journal to this version, step by step and all or nothing."""
    if _version(connection) == SCHEMA_VERSION:
        return
    with _transaction(connection):
        version = _version(connection)  # again, since only now nobody else can change it
        _check_version(version, path)
        for older in range(version, SCHEMA_VERSION):
            for statement in _MIGRATIONS[older]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


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
