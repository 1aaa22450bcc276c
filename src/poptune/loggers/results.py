"""What loggers of results share: grouped by trial, appended as they come, written anew after a restart."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import final

from poptune._base.types import TrialId
from poptune._core.events import Event, Reported, Restarted, Resumed
from poptune._core.views import WatchedPopulation, WatchedTrial
from poptune.loggers.logger import Logger, WatchedRun


class ResultLogger(Logger):
    """Keeps one file of results a trial in step with the journal."""

    def __init__(self) -> None:
        self._begun: set[TrialId] = set()

    @abstractmethod
    def path(self, run: WatchedRun, trial: WatchedTrial) -> Path:
        """Return the trial's file."""

    @abstractmethod
    def append(self, run: WatchedRun, trial: WatchedTrial, results: Sequence[Reported]) -> None:
        """Add results to the trial's file."""

    @abstractmethod
    def rewrite(self, run: WatchedRun, trial: WatchedTrial, results: Iterable[Reported]) -> None:
        """Replace the trial's file by one with just these results."""

    @final
    def observe(self, events: Sequence[Event], run: WatchedRun) -> None:
        """Add the results of this turn, and write anew what a restart or a resume may have changed."""
        stale = _to_rewrite(events, run.population)
        for trial_id, results in _by_trial(events).items():
            if trial_id not in stale:
                self._add(run, run.population[trial_id], results)
        for trial_id in stale:
            trial = run.population[trial_id]
            self.rewrite(run, trial, run.valid_results(trial))

    def _add(self, run: WatchedRun, trial: WatchedTrial, results: Sequence[Reported]) -> None:
        """Add to the file; the whole of it, if somebody has removed it meanwhile."""
        if trial.id in self._begun and not self.path(run, trial).exists():
            self.rewrite(run, trial, run.valid_results(trial))
        else:
            self.append(run, trial, results)
        self._begun.add(trial.id)


def _by_trial(events: Sequence[Event]) -> dict[TrialId, list[Reported]]:
    grouped: dict[TrialId, list[Reported]] = {}
    for event in events:
        if isinstance(event, Reported):
            grouped.setdefault(event.trial, []).append(event)
    return grouped


def _to_rewrite(events: Sequence[Event], population: WatchedPopulation) -> list[TrialId]:
    """Trials whose files may differ from the journal: restarted ones, and after a resume all."""
    if any(isinstance(event, Resumed) for event in events):
        return [trial.id for trial in population.trials if trial.reports]
    restarted = [event.trial for event in events if isinstance(event, Restarted)]
    return [trial for trial in dict.fromkeys(restarted) if population[trial].superseded]
