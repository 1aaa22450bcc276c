"""``error.txt`` in the folder of a trial that was given up: the whole traceback."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from poptune.core.events import Event, Left, Reported, Resumed
from poptune.core.views import WatchedPopulation, WatchedTrial
from poptune.layout import Layout
from poptune.loggers.files import replace_text
from poptune.types import TrialStatus


def write_error(trial: WatchedTrial, layout: Layout) -> Path:
    """Write the file for a trial that was given up, and return its path."""
    path = layout.error(trial.spec.folder)
    replace_text(path, trial.error.rstrip() + "\n")
    return path


class ErrorLogger:
    """Writes ``error.txt``, and removes it where the trial trains on after all."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def observe(self, events: Sequence[Event], population: WatchedPopulation) -> None:
        for event in events:
            if isinstance(event, Reported):  # as almost all are
                continue
            match event:
                case Left(trial=trial_id, status=TrialStatus.ERROR):
                    write_error(population[trial_id], self._layout)
                case Resumed(revived=revived):
                    for trial_id in revived:
                        self._layout.error(population[trial_id].spec.folder).unlink(missing_ok=True)
                case _:
                    pass
