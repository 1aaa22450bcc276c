"""The append-only record of all events and decisions; the only truth about an experiment."""

from poptune._keeping.journal.consistency import consistent
from poptune._keeping.journal.journal import Journal, valid_results
from poptune._keeping.journal.memory import MemoryJournal
from poptune._keeping.journal.objects import Objects, ObjectTable, UnopenedObjects
from poptune._keeping.journal.records import Record, decode
from poptune._keeping.journal.sqlite import SqliteJournal

__all__ = [
    "Journal",
    "MemoryJournal",
    "ObjectTable",
    "Objects",
    "Record",
    "SqliteJournal",
    "UnopenedObjects",
    "consistent",
    "decode",
    "valid_results",
]
