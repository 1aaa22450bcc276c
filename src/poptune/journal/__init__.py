"""The append-only record of all events and decisions; the only truth about an experiment."""

from poptune.journal.consistency import consistent
from poptune.journal.journal import Journal, valid_results
from poptune.journal.memory import MemoryJournal
from poptune.journal.objects import Objects, ObjectTable, UnopenedObjects
from poptune.journal.records import Record, decode
from poptune.journal.sqlite import SqliteJournal

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
