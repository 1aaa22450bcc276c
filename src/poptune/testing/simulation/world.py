"""Runs a whole experiment on a virtual clock: each trial's iterations take their time, none of ours."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import Any

from poptune._base.types import Config, Mode, TrialId
from poptune._core.events import Created, Event, Input
from poptune._core.experiment import Experiment
from poptune._core.population import Trial
from poptune._core.trial_spec import TrialSpec
from poptune.testing.simulation.workers import SimulatedWorkers

Train = Callable[[Trial, int, Config], float]
"""``(trial, iteration, config) -> score``: what an iteration of the simulated training yields."""


def created(
    configs: Sequence[Config],
    *,
    metric: str | None = "score",
    mode: Mode | None = "max",
    time_attr: str = "training_iteration",
    seed: int = 0,
) -> Created:
    """Return the first event of an experiment with one trial a config."""
    trials = tuple(
        TrialSpec(
            id=TrialId(f"sim_{index:05d}"),
            index=index,
            name=f"simulated_sim_{index:05d}",
            tag=str(index),
            folder=f"trial_{index:05d}",
            config=config,
        )
        for index, config in enumerate(configs)
    )
    return Created(
        time_s=0.0,
        name="simulation",
        trainable="simulated",
        seed=seed,
        metric=metric,
        mode=mode,
        time_attr=time_attr,
        trials=trials,
    )


class World:
    """An experiment in virtual time.

    Args:
        experiment: The machine, before its first event.
        train: What an iteration yields.
        iterations: After how many a trial ends.
        duration_s: ``(trial, iteration) -> seconds`` that an iteration takes.
        save_every: A checkpoint is saved with every so many iterations; 0 saves none.
    """

    def __init__(
        self,
        experiment: Experiment,
        train: Train,
        *,
        iterations: int,
        duration_s: Callable[[TrialId, int], float] = lambda _trial, _iteration: 1.0,
        save_every: int = 1,
    ) -> None:
        self.experiment = experiment
        needs = experiment.scheduler.needs
        self.workers = SimulatedWorkers(needs.time_attr, needs.metric or "score")
        self.events: list[Event] = []
        self.now_s = 0.0
        self._train = train
        self._iterations = iterations
        self._duration_s = duration_s
        self._save_every = save_every
        self._due: list[tuple[float, TrialId, int]] = []
        self._scheduled: dict[TrialId, Any] = {}

    def run(self, first: Input) -> None:
        """Handle the first event, and whatever follows, until nothing is due."""
        self.handle(first)
        while self._due:
            self.now_s, trial, incarnation = heapq.heappop(self._due)
            held = self.workers.trials.get(trial)
            if held is not None and held.incarnation == incarnation and not held.waiting:
                self._scheduled.pop(trial, None)
                self._iterate(trial)

    def handle(self, event: Input) -> None:
        """Put one event to the machine and do what it commands."""
        step = self.experiment.handle(event)
        self.events.extend(step.events)
        self.workers.carry_out(step.commands)
        for trial in self.workers.training:
            held = self.workers.trials[trial]
            if self._scheduled.get(trial) != (held.incarnation, held.iteration):
                self._scheduled[trial] = (held.incarnation, held.iteration)
                at_s = self.now_s + self._duration_s(trial, held.iteration + 1)
                heapq.heappush(self._due, (at_s, trial, held.incarnation))

    def _iterate(self, trial: TrialId) -> None:
        held = self.workers.trials[trial]
        iteration = held.iteration + 1
        member = self.experiment.population[trial]
        reported = self.workers.report(
            trial,
            self._train(member, iteration, held.config),
            save=bool(self._save_every) and iteration % self._save_every == 0,
            stop="done" if iteration >= self._iterations else "",
            time_s=self.now_s,
            duration_s=self._duration_s(trial, iteration),
        )
        self.handle(reported)
