"""An experiment whose records can be shown to a logger, step by step."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from poptune._base.layout import Layout
from poptune._base.types import TrialId
from poptune._core.events import Created, Event, Reported
from poptune._core.population import Population, Trial
from poptune._core.trial_spec import TrialSpec
from poptune._keeping.journal import MemoryJournal, valid_results
from poptune.loggers import Logger, WatchedRun


class Shown:
    """Journals records and folds them, then shows them to loggers, as the controller does."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root)
        self.journal = MemoryJournal()
        self.population = Population()
        self.run = WatchedRun(
            population=self.population,
            layout=self.layout,
            valid_results=partial(valid_results, self.journal),
            journal=self.journal.read,
        )
        self.loggers: list[Logger] = []

    def show(self, *events: Event) -> None:
        for event in events:
            self.population.apply(event)
        self.journal.append(events)
        for logger in self.loggers:
            logger.observe(events, self.run)

    def created(self, *configs: dict[str, Any]) -> Created:
        trials = tuple(
            TrialSpec(
                id=TrialId(f"e_{index:05d}"),
                index=index,
                name=f"train_e_{index:05d}",
                tag=f"{index}_lr={config.get('lr', 0)}",
                folder=f"trial_{index}",
                config=config,
            )
            for index, config in enumerate(configs)
        )
        return Created(
            time_s=0.0,
            name="e",
            trainable="train",
            seed=0,
            metric="score",
            mode="max",
            time_attr="training_iteration",
            trials=trials,
        )

    def result(
        self, index: int, iteration: int, *, checkpoint: int | None = None, **metrics: Any
    ) -> Reported:
        return Reported(
            time_s=0.0,
            trial=TrialId(f"e_{index:05d}"),
            incarnation=0,
            iteration=iteration,
            metrics={"training_iteration": iteration, **metrics},
            checkpoint=checkpoint,
        )

    def trials(self) -> Iterable[Trial]:
        return self.population.trials


@pytest.fixture
def shown(tmp_path: Path) -> Shown:
    return Shown(tmp_path)
