"""``progress.csv``: one row a result; nested metrics as ``outer/inner``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from poptune._base.nested import flatten
from poptune._base.types import TrialId
from poptune._core.events import Reported
from poptune._core.views import WatchedTrial
from poptune.loggers.files import append_text, replace_text
from poptune.loggers.logger import WatchedRun
from poptune.loggers.results import ResultLogger


class CsvLogger(ResultLogger):
    """Writes ``progress.csv`` into each trial's folder; a new key among the metrics gets a column."""

    def __init__(self) -> None:
        super().__init__()
        self._columns: dict[TrialId, dict[str, None]] = {}

    def path(self, run: WatchedRun, trial: WatchedTrial) -> Path:
        return run.layout.progress(trial.spec.folder)

    def append(self, run: WatchedRun, trial: WatchedTrial, results: Sequence[Reported]) -> None:
        rows = [flatten(result.metrics) for result in results]
        known = self._columns.get(trial.id)
        if known is None or not all(row.keys() <= known.keys() for row in rows):
            self.rewrite(run, trial, run.valid_results(trial))
        else:
            append_text(self.path(run, trial), _table(rows, known))

    def rewrite(self, run: WatchedRun, trial: WatchedTrial, results: Iterable[Reported]) -> None:
        rows = [flatten(result.metrics) for result in results]
        columns = self._columns[trial.id] = dict.fromkeys(key for row in rows for key in row)
        header = _table([{column: column for column in columns}], columns)
        replace_text(self.path(run, trial), header + _table(rows, columns))


def _table(rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([row.get(column, "") for column in columns] for row in rows)
    return text.getvalue()
