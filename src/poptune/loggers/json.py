"""``result.json``: one JSON object a result. ``params.json``: the trial's config now."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from poptune._base.types import Metrics
from poptune._core.events import Created, Event, Planned, Reported, Resumed, Spawned
from poptune._core.views import WatchedPopulation, WatchedTrial
from poptune.loggers.files import append_text, as_json, replace_text
from poptune.loggers.logger import Logger, WatchedRun
from poptune.loggers.results import ResultLogger


class JsonLogger(Logger):
    """Writes ``result.json`` and ``params.json`` into each trial's folder."""

    def __init__(self) -> None:
        self._results = _ResultFiles()

    def observe(self, events: Sequence[Event], run: WatchedRun) -> None:
        """Write what is new."""
        self._results.observe(events, run)
        for trial in _with_new_config(events, run.population):
            text = json.dumps(trial.config, indent=2, default=as_json)
            replace_text(run.layout.params(trial.spec.folder), text + "\n")


class _ResultFiles(ResultLogger):
    def path(self, run: WatchedRun, trial: WatchedTrial) -> Path:
        return run.layout.results(trial.spec.folder)

    def append(self, run: WatchedRun, trial: WatchedTrial, results: Sequence[Reported]) -> None:
        append_text(self.path(run, trial), _lines(results))

    def rewrite(self, run: WatchedRun, trial: WatchedTrial, results: Iterable[Reported]) -> None:
        replace_text(self.path(run, trial), _lines(results))


def _lines(results: Iterable[Reported]) -> str:
    return "".join(_line(result.metrics) + "\n" for result in results)


def _line(metrics: Metrics) -> str:
    try:
        text = msgspec.json.encode(metrics).decode()
    except UnicodeEncodeError:
        return json.dumps(dict(metrics))
    # It writes NaN and infinities as null, which pandas and Ray's readers would take for nothing at all.
    return json.dumps(dict(metrics)) if "null" in text else text


def _with_new_config(events: Sequence[Event], population: WatchedPopulation) -> list[WatchedTrial]:
    changed: dict[str, WatchedTrial] = {}
    for event in events:
        if isinstance(event, Created | Resumed):
            return list(population.trials)
        if isinstance(event, Spawned):
            changed |= {spec.id: population[spec.id] for spec in event.trials}
        if isinstance(event, Planned):
            for decision in event.plan.decisions:
                if decision.config is not None:
                    changed[decision.trial] = population[decision.trial]
    return list(changed.values())
