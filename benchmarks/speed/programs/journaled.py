"""What an experiment's journal holds, for programs that check or time it."""

from pathlib import Path

from poptune._base.layout import Layout
from poptune._core.events import Completed, Reported
from poptune._keeping.journal import ObjectTable, SqliteJournal


def results_and_end(path):
    """Return each trial's journaled results, in order, and when all was over."""
    results, completed_s = {}, None
    journal = SqliteJournal.open(Layout(Path(path)).journal, ObjectTable(), read_only=True)
    for event in journal.read():
        if isinstance(event, Reported):
            results.setdefault(event.trial, []).append(event)
        elif isinstance(event, Completed):
            completed_s = event.time_s
    journal.close()
    return results, completed_s
