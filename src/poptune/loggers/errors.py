"""``error.txt`` in the folder of a trial that was given up: the whole traceback."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from poptune._base.layout import Layout
from poptune._base.types import TrialStatus
from poptune._core.events import Event, Left, Reported, Resumed
from poptune._core.views import WatchedTrial
from poptune.loggers.files import replace_text
from poptune.loggers.logger import Logger, WatchedRun


def write_error(trial: WatchedTrial, layout: Layout) -> Path:
    """Write the file for a trial that was given up, and return its path."""
    path = layout.error(trial.spec.folder)
    replace_text(path, trial.error.rstrip() + "\n")
    return path


class ErrorLogger(Logger):
    """Writes ``error.txt``, and removes it where the trial trains on after all."""

    def observe(self, events: Sequence[Event], run: WatchedRun) -> None:
        """Write the errors of those that were given up just now."""
        for event in events:
            if isinstance(event, Reported):  # as almost all are
                continue
            match event:
                case Left(trial=trial_id, status=TrialStatus.ERROR):
                    write_error(run.population[trial_id], run.layout)
                case Resumed(revived=revived):
                    for trial_id in revived:
                        folder = run.population[trial_id].spec.folder
                        run.layout.error(folder).unlink(missing_ok=True)
                case _:
                    pass
