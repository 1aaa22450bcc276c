"""The journal as it is mirrored: its records, plain, and which checkpoints they name."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import msgspec

from poptune._core.population import Population
from poptune._keeping.journal import Record, SqliteJournal, UnopenedObjects, decode
from poptune.errors import JournalError

_Row = tuple[int, str, int, str | None, msgspec.Raw]
_rows = msgspec.json.Decoder(list[_Row])


class MirroredJournal:
    """The journal of an experiment that is being run, read beside the one who writes it.

    Args:
        path: Its file.
    """

    def __init__(self, path: Path) -> None:
        self._journal = SqliteJournal.open(path, UnopenedObjects(), read_only=True)
        self._population = Population()
        self.last = 0
        """The number of the last record that was read."""

    def read_on(self) -> None:
        """Take in what was appended since the last time."""
        for number, record in self._journal.records(self.last + 1):
            for event in decode(record, UnopenedObjects()):
                self._population.apply(event)
            self.last = number

    def named(self) -> list[str]:
        """Return the checkpoints that trials go back to or ended with, then the others that are kept."""
        trials = self._population.trials
        standing = [trial.checkpoint.path for trial in trials if trial.checkpoint]
        return list(dict.fromkeys([*standing, *(ref.path for trial in trials for ref in trial.saved)]))

    def crc32(self, first: int, last: int) -> int | None:
        """Return the checksum of the part with these records; None if they are not all there."""
        found, crc32 = 0, 0
        for number, chunk in _chunks(self._journal.records(first, last)):
            found, crc32 = number, zlib.crc32(chunk, crc32)
        return crc32 if found == last else None

    def write(self, first: int, last: int, file: IO[bytes]) -> int:
        """Write the part with these records into a file; return its checksum."""
        crc32 = 0
        for _, chunk in _chunks(self._journal.records(first, last)):
            file.write(chunk)
            crc32 = zlib.crc32(chunk, crc32)
        return crc32

    def copy_to(self, path: Path) -> None:
        """Write the whole journal into one new file."""
        self._journal.copy_to(path)

    def close(self) -> None:
        self._journal.close()


def _chunks(records: Iterable[tuple[int, Record]]) -> Iterator[tuple[int, bytes]]:
    """Return a part's content piece by piece, each with the number of the last record before its end."""
    last, begin = 0, b"["
    for last, record in records:
        row = (last, record.kind, record.version, record.trial, msgspec.Raw(record.payload))
        yield last, begin + msgspec.json.encode(row)
        begin = b",\n"
    yield last, b"]" if begin != b"[" else b"[]"


def records_in(content: bytes) -> Iterator[tuple[int, Record]]:
    """Return the records in a part, each with its number.

    Raises:
        JournalError: It holds something else.
    """
    try:
        for number, kind, version, trial, payload in _rows.decode(content):
            yield number, Record(kind, version, trial, bytes(payload))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise JournalError(
            f"A part of a mirrored journal must hold its records, but does not: {error}"
        ) from error
