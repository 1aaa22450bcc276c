"""What the loggers share: results grouped by trial, appended as they come, written anew after a restart."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import final

from poptune.core.events import Event, Reported, Restarted, Resumed
from poptune.core.views import WatchedPopulation, WatchedTrial
from poptune.types import TrialId

ValidResults = Callable[[WatchedTrial], Iterable[Reported]]
"""Reads a trial's results from the journal, without those that a restart made void."""


class ResultLogger(ABC):
    """Keeps one file of results a trial in step with the journal.

    Args:
        valid_results: Where the results are read anew from, when a restart has made some void.
    """

    def __init__(self, valid_results: ValidResults) -> None:
        self._valid_results = valid_results
        self._begun: set[TrialId] = set()

    @abstractmethod
    def path(self, trial: WatchedTrial) -> Path:
        """Return the trial's file."""

    @abstractmethod
    def append(self, trial: WatchedTrial, results: Sequence[Reported]) -> None:
        """Add results to the trial's file."""

    @abstractmethod
    def rewrite(self, trial: WatchedTrial, results: Iterable[Reported]) -> None:
        """Replace the trial's file by one with just these results."""

    @final
    def observe(self, events: Sequence[Event], population: WatchedPopulation) -> None:
        stale = _to_rewrite(events, population)
        for trial_id, results in _by_trial(events).items():
            if trial_id not in stale:
                self._add(population[trial_id], results)
        for trial_id in stale:
            trial = population[trial_id]
            self.rewrite(trial, self._valid_results(trial))

    def _add(self, trial: WatchedTrial, results: Sequence[Reported]) -> None:
        """Add to the file; the whole of it, if somebody has removed it meanwhile."""
        if trial.id in self._begun and not self.path(trial).exists():
            self.rewrite(trial, self._valid_results(trial))
        else:
            self.append(trial, results)
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
