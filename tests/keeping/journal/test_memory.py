from __future__ import annotations

from pathlib import Path

from poptune._keeping.journal import Journal, MemoryJournal
from poptune.testing.journals import JournalConformance


class TestMemoryJournal(JournalConformance):
    def make_journal(self, tmp_path: Path) -> Journal:
        return MemoryJournal()
