"""What is allowed, but hardly meant."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import poptune as tune
from poptune._core.experiment import Experiment
from poptune._core.settings import Settings
from poptune._running.tuner.doubts import never_at_a_milestone
from poptune.schedulers import FIFOScheduler, PopulationBasedTraining
from poptune.testing.simulation import World, created


def pbt(**changes: Any) -> PopulationBasedTraining:
    return PopulationBasedTraining(
        **{
            "time_attr": "training_iteration",
            "perturbation_interval": 5,
            "hyperparam_mutations": {"lr": tune.uniform(0, 1)},
            "metric": "score",
            "mode": "max",
            **changes,
        }
    )


@pytest.mark.parametrize(
    "run",
    [
        {"stop": {"training_iteration": 5}},
        {"stop": tune.MaximumIterationStopper(5)},
        {"stop_population_at": {"training_iteration": 3}},
    ],
)
def test_a_tuner_tells_its_doubts_before_anything_starts(tmp_path, run) -> None:
    def tuner(**changes: Any) -> tune.Tuner:
        return tune.Tuner(
            lambda config: config["lr"],
            tune_config=tune.TuneConfig(num_samples=4, scheduler=pbt(**changes)),
            run_config=tune.RunConfig(storage_path=tmp_path, executor="inline", **run),
        )

    with pytest.warns(tune.PoptuneWarning, match="No milestone comes before the end of a trial"):
        tuner()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tuner(perturbation_interval=2)


def ended(iterations: int, *, population: int = 4, **changes: Any) -> str:
    scheduler = pbt(**changes)
    experiment = Experiment(scheduler, Settings(slots=4))
    world = World(experiment, lambda trial, at, config: at + 0.1 * trial.index, iterations=iterations)
    world.run(created([{} for _ in range(population)], seed=0))
    return never_at_a_milestone(experiment.population, scheduler)


@pytest.mark.parametrize("synch", [False, True])
@pytest.mark.parametrize("iterations", [1, 4])
def test_an_experiment_that_was_too_short_for_any_milestone_is_told(synch: bool, iterations: int) -> None:
    assert ended(iterations, synch=synch).startswith(
        "Nobody has copied anybody, because no trial came to a milestone: the first is at 5 "
        "training_iteration, the perturbation_interval, but the longest trial came to "
        f"{iterations}. Set perturbation_interval to 1"
    )


def test_a_longer_one_is_not() -> None:
    assert ended(6) == ""
    assert ended(4, perturbation_interval=2) == ""
    assert ended(4, population=1) == "", "a single trial is told of otherwise"


def test_other_schedulers_have_no_milestones_to_miss() -> None:
    experiment = Experiment(FIFOScheduler(), Settings(slots=4))
    World(experiment, lambda *_: 0.0, iterations=1).run(created([{}] * 4))
    assert never_at_a_milestone(experiment.population, experiment.scheduler) == ""
