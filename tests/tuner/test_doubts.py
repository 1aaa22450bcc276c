"""What is allowed, but hardly meant."""

from __future__ import annotations

import warnings
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

import poptune as tune
from poptune.core.experiment import Experiment
from poptune.core.settings import Settings
from poptune.schedulers import FIFOScheduler, Perturb, PopulationBasedTraining
from poptune.simulation import World, created
from poptune.tuner.doubts import doubts, never_at_a_milestone


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


def mutated(**mutations: Any) -> list[str]:
    return doubts(pbt(hyperparam_mutations=mutations), {})


@pytest.mark.parametrize(
    ("pair", "instead"),
    [
        ((1e-4, 1e-1), "tune.uniform(0.0001, 0.1) or tune.loguniform(0.0001, 0.1) for what is between"),
        ((0.0, 1.0), "write tune.uniform(0.0, 1.0) for what is between"),
        ((16, 64), "write tune.randint(16, 65) for what is between"),
    ],
)
def test_a_tuple_of_two_numbers_is_doubtful(pair, instead: str) -> None:
    (told,) = mutated(lr=pair)
    assert told.startswith(f"The mutation of 'lr' is the tuple {pair!r}, which means these two values")
    assert instead in told
    assert f"the list {list(pair)!r} for the two values" in told
    (nested,) = mutated(optimizer={"lr": pair})
    assert "'optimizer.lr'" in nested
    assert doubts(pbt(explore=Perturb(mutations={"lr": pair})), {}) == [told]


@pytest.mark.parametrize(
    "mutation", [[1e-4, 1e-1], (1, 2, 3), ("a", "b"), (True, False), (1,), tune.uniform(0, 1), lambda: 1]
)
def test_other_mutations_are_not(mutation) -> None:
    assert mutated(lr=mutation) == []


@given(
    interval=st.integers(1, 50) | st.floats(0.5, 50),
    burn_in=st.integers(0, 50),
    end=st.integers(2, 100) | st.floats(1.5, 100),
)
def test_an_end_before_the_first_milestone_is_doubtful_and_no_other(interval, burn_in, end) -> None:
    scheduler = pbt(perturbation_interval=interval, burn_in_period=burn_in)
    told = doubts(scheduler, {"training_iteration": end, "score": 0.9})
    assert bool(told) is (end <= max(interval, burn_in))
    assert doubts(scheduler, {"score": 0.9}) == []


def test_the_doubt_says_what_to_write() -> None:
    (told,) = doubts(pbt(perturbation_interval=50), {"training_iteration": 50})
    assert told == (
        "No milestone comes before the end of a trial at training_iteration 50, so nobody will copy: the "
        "first is at 50 training_iteration, the perturbation_interval. Set perturbation_interval to 5 or so"
    )
    (told,) = doubts(pbt(time_attr="time_total_s", perturbation_interval=60.0), {}, time_budget_s=30)
    assert told == (
        "No milestone comes before the end of the time budget of 30 s, so nobody will copy: the first is at "
        "60 time_total_s, the perturbation_interval. Set perturbation_interval to 3 or so"
    )
    (told,) = doubts(pbt(time_attr="steps", burn_in_period=9), {"steps": 9})
    assert told == (
        "No milestone comes before the end of a trial at steps 9, so nobody will copy: the first is at 9 "
        "steps, the burn_in_period. Set perturbation_interval to 1 or so, and burn_in_period to less than 9"
    )


def test_other_schedulers_leave_no_doubts() -> None:
    assert doubts(FIFOScheduler(), {"training_iteration": 1}, time_budget_s=1) == []


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
