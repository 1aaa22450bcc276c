from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from poptune._base.types import TrialId
from poptune._core.commands import Proceed, Start
from poptune._core.events import Created, Event, Failed, Input, Reported
from poptune._core.experiment import Experiment
from poptune._core.population import Trial
from poptune._core.retries import Retries
from poptune._core.settings import Settings
from poptune._core.trial_spec import TrialSpec
from poptune._watching.progress import RunFacts
from poptune.schedulers import FIFOScheduler, PopulationBasedTraining

Score = Callable[[Trial], float]


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class World:
    """A real experiment, whose trials report as soon as they may."""

    def __init__(
        self,
        configs: Sequence[dict[str, Any]],
        *,
        mode: str = "max",
        slots: int = 2,
        pbt: bool = True,
        max_failures: int = 0,
        **facts: Any,
    ) -> None:
        scheduler: Any = FIFOScheduler()
        if pbt:
            scheduler = PopulationBasedTraining(
                time_attr="training_iteration",
                perturbation_interval=5,
                hyperparam_mutations={"lr": lambda: 0.5},
                resample_probability=0,
            )
        settings = Settings(slots=slots, retries=Retries(per_trial=max_failures))
        self.experiment = Experiment(scheduler.for_metric("score", mode), settings)
        self.facts = RunFacts(
            name="pbt_mnist",
            path="/results/pbt_mnist",
            metric="score",
            mode=mode,
            slots=slots,
            **({"parameters": ("lr",), "stop": {"training_iteration": 50}} | facts),
        )
        self.active: dict[TrialId, float | None] = {}
        self.mode, self.configs = mode, configs
        self.first: list[Event] = []

    @property
    def population(self) -> Any:
        return self.experiment.population

    def trial(self, index: int) -> Trial:
        return self.experiment.population.trials[index]

    def create(self) -> list[Event]:
        trials = tuple(
            TrialSpec(
                id=TrialId(f"ab_{index:05d}"),
                index=index,
                name=f"train_ab_{index:05d}",
                tag=f"{index}_lr={config.get('lr')},momentum=0.9",
                folder=f"folder_{index}",
                config=dict(config),
            )
            for index, config in enumerate(self.configs)
        )
        return self.handle(
            Created(
                time_s=0.0,
                name="pbt_mnist",
                trainable="train",
                seed=1,
                metric="score",
                mode=self.mode,  # type: ignore[arg-type]
                time_attr="training_iteration",
                trials=trials,
            )
        )

    def handle(self, event: Input) -> list[Event]:
        step = self.experiment.handle(event)
        for command in step.commands:
            if isinstance(command, Start | Proceed):
                self.active[command.trial] = command.until
        return step.events

    def report(self, index: int, score: Any) -> list[Event]:
        """One report of a trial that is running."""
        trial = self.trial(index)
        iteration = trial.iteration + 1
        until = self.active[trial.id]
        waiting = until is not None and iteration >= until
        stop = self.facts.stop.get("training_iteration")
        return self.handle(
            Reported(
                time_s=0.0,
                trial=trial.id,
                incarnation=trial.incarnation,
                iteration=iteration,
                metrics={"score": score, "training_iteration": iteration},
                checkpoint=trial.saves + 1,
                waiting=waiting,
                stop="training_iteration" if stop and iteration >= stop else "",
            )
        )

    def fail(self, index: int, error: str) -> list[Event]:
        trial = self.trial(index)
        return self.handle(Failed(time_s=0.0, trial=trial.id, incarnation=trial.incarnation, error=error))

    def train(self, turns: int, score: Score) -> list[Event]:
        """Let every trial that has a slot report, so many times."""
        events: list[Event] = []
        for _ in range(turns):
            for trial_id in sorted(self.experiment.running):
                trial = self.population[trial_id]
                events += self.report(trial.index, score(trial))
        return events


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world() -> type[World]:
    return World


@pytest.fixture
def four() -> World:
    """Four trials on two slots, created."""
    world = World([{"lr": 0.1 * (index + 1)} for index in range(4)])
    world.first = world.create()
    return world


@pytest.fixture
def by_index() -> Score:
    """The higher a trial's number the better it is."""
    return lambda trial: 0.1 * trial.index + 0.001 * (trial.iteration + 1)
