from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from poptune._base.types import TrialId
from poptune._core.events import Completed, Reported, Resumed
from poptune._core.unopened import UnopenedObject
from poptune._keeping.journal import Journal, ObjectTable, SqliteJournal, UnopenedObjects
from poptune.errors import JournalError
from poptune.testing.journals import JournalConformance

A = TrialId("69158_00000")


def result(iteration: int, **metrics) -> Reported:
    return Reported(time_s=0.0, trial=A, incarnation=0, iteration=iteration, metrics=metrics)


class TestSqliteJournal(JournalConformance):
    def make_journal(self, tmp_path: Path) -> Journal:
        objects = ObjectTable.create(tmp_path / "objects.pkl", first=())
        return SqliteJournal.create(tmp_path / "experiment.db", [], objects)

    def reopen(self, journal: Journal, tmp_path: Path) -> Journal:
        objects = ObjectTable.open(tmp_path / "objects.pkl")
        return SqliteJournal.open(tmp_path / "experiment.db", objects)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "experiment.db"


@pytest.fixture
def journal(path: Path) -> Iterator[SqliteJournal]:
    journal = SqliteJournal.create(path, [result(1)], ObjectTable())
    yield journal
    journal.close()


def reader(path: Path) -> contextlib.closing[SqliteJournal]:
    """The journal as results, plots and the dashboard open it."""
    return contextlib.closing(SqliteJournal.open(path, UnopenedObjects(), read_only=True))


def test_the_file_appears_by_rename_with_its_first_records_in_it(path: Path, monkeypatch) -> None:
    at_rename = []

    def rename(self: Path, target: Path) -> Path:
        with reader(self) as aside:
            at_rename.append((target.name, target.exists(), list(aside.read())))
        return self.rename(target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", rename)
        SqliteJournal.create(path, [result(1), result(2)], ObjectTable()).close()
    assert at_rename == [("experiment.db", False, [result(1), result(2)])]
    assert [file.name for file in path.parent.iterdir()] == ["experiment.db"]


def test_where_the_first_records_cannot_be_kept_no_file_appears(path: Path) -> None:
    with pytest.raises(KeyError):
        SqliteJournal.create(path, [object()], ObjectTable())
    assert not path.exists()
    SqliteJournal.create(path, [result(1)], ObjectTable()).close()
    with reader(path) as reading:
        assert list(reading.read()) == [result(1)]


def test_a_journal_is_not_created_where_there_is_no_folder(path: Path) -> None:
    with pytest.raises(JournalError, match="cannot be created"):
        SqliteJournal.create(path / "nowhere" / "experiment.db", [], ObjectTable())


def test_a_journal_that_is_not_there_is_an_error_and_none_is_made(path: Path) -> None:
    for read_only in (True, False):
        with pytest.raises(JournalError, match="There is no journal .*experiment.db"):
            SqliteJournal.open(path, ObjectTable(), read_only=read_only)
    assert not path.exists()


@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_of_another_kind_is_an_error(path: Path, read_only: bool) -> None:
    path.write_text("this is no database, and it is long enough to see that" * 40)
    with pytest.raises(JournalError, match="cannot be opened"):
        SqliteJournal.open(path, ObjectTable(), read_only=read_only)


def set_version(path: Path, version: int) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")


def version_of(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize(
    ("version", "message"),
    [
        (7, "has schema version 7, but this poptune reads versions up to 3: open it with the poptune that"),
        (0, "schema version of 1 or more, but .* has 0: it was not written by poptune"),
        (-3, "has -3: it was not written by poptune"),
    ],
)
def test_a_schema_of_an_unknown_version_is_an_error(
    journal: SqliteJournal, path: Path, version: int, message: str, read_only: bool
) -> None:
    set_version(path, version)
    with pytest.raises(JournalError, match=message):
        SqliteJournal.open(path, ObjectTable(), read_only=read_only)
    assert version_of(path) == version


def test_an_older_journal_is_read_as_it_is_and_becomes_a_present_one_when_it_is_continued(
    journal: SqliteJournal, path: Path
) -> None:
    journal.close()
    set_version(path, 1)
    with reader(path) as reading:
        assert list(reading.read()) == [result(1)]
    assert version_of(path) == 1
    with contextlib.closing(SqliteJournal.open(path, ObjectTable())) as continued:
        assert version_of(path) == 3
        continued.append([result(2), result(3)])
        assert list(continued.read()) == [result(1), result(2), result(3)]


def test_migrations_happen_one_after_the_other_and_all_or_none(
    journal: SqliteJournal, path: Path, monkeypatch
) -> None:
    journal.close()
    set_version(path, 1)
    steps = {1: ("CREATE TABLE first (n)",), 2: ("CREATE TABLE second (n)", "INSERT INTO nowhere VALUES (1)")}
    monkeypatch.setattr("poptune._keeping.journal.sqlite.SCHEMA_VERSION", 3)
    monkeypatch.setattr("poptune._keeping.journal.sqlite._MIGRATIONS", steps)
    with pytest.raises(JournalError, match="cannot be opened: no such table: nowhere"):
        SqliteJournal.open(path, ObjectTable())
    assert version_of(path) == 1
    steps[2] = ("INSERT INTO first VALUES (1)",)
    SqliteJournal.open(path, ObjectTable()).close()
    SqliteJournal.open(path, ObjectTable()).close()
    assert version_of(path) == 3
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT n FROM first").fetchall() == [(1,)]


@pytest.mark.parametrize("read_only", [True, False])
def test_a_journal_without_its_table_is_an_error(path: Path, read_only: bool) -> None:
    set_version(path, 2)
    with contextlib.closing(SqliteJournal.open(path, ObjectTable(), read_only=read_only)) as empty:
        with pytest.raises(JournalError, match="cannot be read: no such table"):
            empty.is_completed()
        with pytest.raises(JournalError, match="cannot be read: no such table"):
            list(empty.read())


def test_it_is_read_while_it_is_written(journal: SqliteJournal, path: Path) -> None:
    with reader(path) as reading:
        for iteration in range(2, 20):
            journal.append([result(iteration)])
            assert [event.iteration for event in reading.read()] == list(range(1, iteration + 1))


def test_a_reader_who_dawdles_holds_up_neither_appends_nor_syncs(journal: SqliteJournal, path: Path) -> None:
    journal.append([result(iteration) for iteration in range(2, 500)])
    with reader(path) as reading:
        dawdling = reading.read()
        next(dawdling)
        journal.append([result(500)])
        journal.sync()
        assert len(list(dawdling)) == 498


def test_a_reader_cannot_write(journal: SqliteJournal, path: Path) -> None:
    with reader(path) as reading, pytest.raises(JournalError, match="cannot be written"):
        reading.append([result(2)])
    assert list(journal.read()) == [result(1)]


def test_a_full_disk_is_an_error_that_says_so_and_loses_nothing(journal: SqliteJournal) -> None:
    journal._connection.execute("PRAGMA max_page_count = 8")
    with pytest.raises(JournalError, match="cannot be written .*full.*make room on the disk"):
        journal.append([result(2), result(3, text="x" * 100_000)])
    assert list(journal.read()) == [result(1)]
    journal._connection.execute("PRAGMA max_page_count = 1000")
    journal.append([result(2)])
    assert list(journal.read()) == [result(1), result(2)]


def test_a_broken_file_is_an_error_when_it_is_read(path: Path) -> None:
    journal = SqliteJournal.create(path, [result(i, text="x" * 500) for i in range(100)], ObjectTable())
    journal.close()
    data = bytearray(path.read_bytes())
    data[8192:20480] = bytes(12288)
    path.write_bytes(data)
    with reader(path) as reading, pytest.raises(JournalError, match="cannot be read|malformed"):
        list(reading.read())


def test_it_is_complete_when_its_last_record_says_so(journal: SqliteJournal) -> None:
    assert not journal.is_completed()
    journal.append([Completed(time_s=0.0)])
    assert journal.is_completed()
    journal.append([Resumed(time_s=0.0)])
    assert not journal.is_completed()


def test_readers_open_no_objects(tmp_path: Path, path: Path) -> None:
    objects = ObjectTable.create(tmp_path / "objects.pkl", first=())
    SqliteJournal.create(path, [result(1, net=Path("x"))], objects).close()
    with reader(path) as reading:
        found = next(reading.results(A)).metrics["net"]
    assert found == UnopenedObject("PosixPath('x')", number=1)
    assert repr(found) == "PosixPath('x')"


@pytest.fixture
def as_nobody(tmp_path: Path) -> Iterator[None]:
    """Run as somebody to whom permissions apply, and who may come as far as the test's own folder."""
    if os.geteuid() != 0:
        yield
        return
    own = [folder for folder in tmp_path.parents if folder.name.startswith(("pytest-", "popen-"))]
    modes = [folder.stat().st_mode for folder in own]
    for folder in own:
        folder.chmod(0o755)
    yield
    os.seteuid(0)
    for folder, mode in zip(own, modes, strict=True):
        folder.chmod(mode)


def test_a_journal_in_a_folder_that_may_not_be_written_is_read_as_it_lies(
    tmp_path: Path, path: Path, as_nobody: None
) -> None:
    SqliteJournal.create(path, [result(1), result(2)], ObjectTable()).close()
    tmp_path.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(65534)
    with pytest.raises(PermissionError):
        (tmp_path / "file").touch()
    with reader(path) as reading:
        assert list(reading.read()) == [result(1), result(2)]
    assert [file.name for file in tmp_path.iterdir()] == ["experiment.db"]


def test_syncing_puts_the_write_ahead_file_on_the_disk_itself(journal: SqliteJournal, monkeypatch) -> None:
    synced = []
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
        journal.append([result(2)])
        journal.sync()
    ahead = journal._path.with_name("experiment.db-wal")
    assert ahead.stat().st_size > 0
    assert ahead.stat().st_ino in synced


WRITER = """
    import sys
    from pathlib import Path
    from poptune._core.events import Reported
    from poptune._keeping.journal import ObjectTable, SqliteJournal

    folder = Path(sys.argv[1])
    objects = ObjectTable.create(folder / "objects.pkl", first="defined")
    journal = SqliteJournal.create(folder / "experiment.db", [], objects)
    number = 0
    while True:
        metrics = {"path": Path(str(number))}
        batch = [
            Reported(time_s=0.0, trial="t", incarnation=0, iteration=number + i, metrics=metrics)
            for i in range(3)
        ]
        journal.append(batch)
        number += 3
        sys.stdout.write(f"{number}\\n")
        sys.stdout.flush()
"""


def test_a_killed_writer_loses_nothing_that_was_acknowledged_and_leaves_no_half_append(
    tmp_path: Path,
) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    for line in writer.stdout:
        if int(line) >= 60:
            break
    writer.send_signal(signal.SIGKILL)
    acknowledged = int((line + writer.stdout.read()).split()[-1])
    writer.stdout.close()
    assert writer.wait() == -signal.SIGKILL
    objects = ObjectTable.open(tmp_path / "objects.pkl")
    journal = SqliteJournal.open(tmp_path / "experiment.db", objects)
    found = list(journal.read())
    assert objects.value(0, "") == "defined"
    assert len(found) >= acknowledged
    assert len(found) % 3 == 0
    assert [event.iteration for event in found] == list(range(len(found)))
    assert found[-1].metrics == {"path": Path(str(len(found) - 3))}
    journal.append([result(0)])
    journal.close()
