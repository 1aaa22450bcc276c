"""A journal in memory, for tests and simulations. It encodes what it keeps, as the one on disk does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from poptune._base.types import TrialId
from poptune._core.events import Event, Reported
from poptune._keeping.journal.objects import Objects, ObjectTable
from poptune._keeping.journal.records import Record, decode, encode


class MemoryJournal:
    """Keeps records in a list."""

    def __init__(self, objects: Objects | None = None) -> None:
        self._objects = objects if objects is not None else ObjectTable()
        self._records: list[Record] = []

    def append(self, events: Sequence[Event]) -> None:
        self._records.extend(encode(events, self._objects))

    def read(self) -> Iterator[Event]:
        for record in list(self._records):
            yield from decode(record, self._objects)

    def results(self, trial: TrialId) -> Iterator[Reported]:
        for record in list(self._records):
            if record.trial == trial and record.kind in {"reported", "results"}:
                for event in decode(record, self._objects):
                    assert isinstance(event, Reported)
                    yield event

    def sync(self) -> None:
        """Do nothing: memory is as safe as it gets."""

    def close(self) -> None:
        """Do nothing: there is nothing to release."""
