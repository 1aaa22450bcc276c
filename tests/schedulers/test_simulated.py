"""Whole experiments in virtual time: the same machine that runs real ones."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest

import poptune as tune
from poptune._base.types import TrialId
from poptune._core.events import Planned, Reported
from poptune._core.experiment import Experiment
from poptune._core.population import Population
from poptune._core.retention import Retention
from poptune._core.scheduler import Decision, Load
from poptune._core.settings import Settings
from poptune._keeping.journal import MemoryJournal
from poptune.schedulers import PopulationBasedTraining
from poptune.testing.simulation import World, created

ITERATIONS = 40


def climb(trial, iteration: int, config) -> float:
    """The nearer lr is to .3, the steeper; trials differ a little, so that no two scores are equal."""
    return iteration * (1 - abs(config["lr"] - 0.3)) + 0.01 * trial.index


def simulate(
    *,
    synch: bool = False,
    slots: int = 4,
    seed: int = 0,
    population: int = 4,
    train: Any = climb,
    save_every: int = 1,
    max_residents: int | None = None,
    keep: int | None = None,
    **world: Any,
) -> World:
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration",
        metric="score",
        mode="max",
        perturbation_interval=5,
        hyperparam_mutations={"lr": tune.uniform(0, 1), "batch": [16, 32, 64]},
        synch=synch,
    )
    settings = Settings(slots=slots, max_residents=max_residents, retention=Retention(num_to_keep=keep))
    simulated = World(
        Experiment(scheduler, settings), train, iterations=ITERATIONS, save_every=save_every, **world
    )
    simulated.run(created([{} for _ in range(population)], seed=seed))
    return simulated


def decisions(world: World) -> list[Decision]:
    return [
        decision for event in world.events if isinstance(event, Planned) for decision in event.plan.decisions
    ]


def loads(world: World) -> int:
    return sum(isinstance(decision.source, Load) for decision in decisions(world))


@pytest.mark.parametrize("synch", [False, True])
def test_the_same_seed_gives_the_same_journal(synch: bool) -> None:
    one, other = simulate(synch=synch, slots=2), simulate(synch=synch, slots=2)
    assert one.events == other.events
    assert loads(one) > 3


@pytest.mark.parametrize("synch", [False, True])
def test_another_seed_gives_another_journal(synch: bool) -> None:
    assert simulate(synch=synch, seed=1).events != simulate(synch=synch, seed=2).events


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("residents", [None, 2, 3])
def test_a_synchronous_run_decides_alike_on_two_and_on_four_slots(seed: int, residents: int | None) -> None:
    few = simulate(synch=True, slots=2, seed=seed, max_residents=residents)
    many = simulate(synch=True, slots=4, seed=seed)
    assert decisions(few) == decisions(many)
    assert loads(few) > 3


def test_a_synchronous_run_decides_alike_however_fast_each_trial_is() -> None:
    even = simulate(synch=True, seed=3)
    uneven = simulate(synch=True, seed=3, duration_s=lambda trial, iteration: 1 + 7 * (trial[-1] == "2"))
    assert decisions(even) == decisions(uneven)
    assert uneven.now_s == 8 * ITERATIONS


@pytest.mark.parametrize("synch", [False, True])
@pytest.mark.parametrize("slots", [1, 2, 4])
def test_training_code_is_entered_once_a_trial_and_once_a_load(synch: bool, slots: int) -> None:
    world = simulate(synch=synch, slots=slots)
    assert world.workers.entries == 4 + loads(world)


@pytest.mark.parametrize("synch", [False, True])
@pytest.mark.parametrize("slots", [1, 3])
def test_every_trial_comes_to_its_end(synch: bool, slots: int) -> None:
    world = simulate(synch=synch, slots=slots, population=5)
    assert world.experiment.finished
    assert {trial.iteration for trial in world.experiment.population.trials} == {ITERATIONS}
    assert world.workers.trials == {}


def test_slots_are_never_idle_while_somebody_waits() -> None:
    world = simulate(slots=2)
    reports = sum(isinstance(event, Reported) for event in world.events)
    assert world.now_s == reports / 2


def test_the_population_ends_better_than_it_would_without_copying() -> None:
    def final(world: World) -> float:
        return sum(trial.score for trial in world.experiment.population.trials) / 4

    alone = simulate(save_every=0)
    assert loads(alone) == 0
    assert final(simulate(synch=True)) > final(alone)


@pytest.mark.parametrize("synch", [False, True])
def test_a_trial_whose_scores_are_not_numbers_is_rescued(synch: bool) -> None:
    def diverge(trial, iteration: int, config) -> float:
        return math.nan if trial.index == 0 and trial.exploits == 0 else climb(trial, iteration, config)

    world = simulate(synch=synch, train=diverge)
    rescued = world.experiment.population[TrialId("sim_00000")]
    assert rescued.exploits > 0
    assert math.isfinite(rescued.score)
    assert {decision.trial for decision in decisions(world) if decision.donor} >= {rescued.id}


@pytest.mark.parametrize("synch", [False, True])
def test_folding_the_journal_gives_the_population_that_it_came_from(synch: bool) -> None:
    world = simulate(synch=synch, slots=2, keep=1)
    journal = MemoryJournal()
    journal.append(world.events)
    folded = Population()
    for event in journal.read():
        folded.apply(event)
    for mine, theirs in zip(world.experiment.population.trials, folded.trials, strict=True):
        assert (mine.config, mine.checkpoint, mine.saved, mine.score, mine.superseded) == (
            theirs.config,
            theirs.checkpoint,
            theirs.saved,
            theirs.score,
            theirs.superseded,
        )


def test_retention_leaves_one_checkpoint_a_trial_and_what_is_stood_upon() -> None:
    world = simulate(synch=True, keep=1)
    assert world.workers.deleted
    owners = Counter(checkpoint.split("/")[0] for checkpoint in world.workers.saved)
    assert max(owners.values()) <= 2


def test_scores_at_a_decision_are_those_reported_last() -> None:
    world = simulate()
    last: dict[TrialId, float] = {}
    for event in world.events:
        if isinstance(event, Reported):
            last[event.trial] = event.metrics["score"]
        elif isinstance(event, Planned):
            for decision in event.plan.decisions:
                if decision.donor is not None:
                    assert decision.seen["own"] == last[decision.trial]
                    assert decision.seen["donor"] >= decision.seen["own"]


def test_one_lucky_score_does_not_send_the_whole_population_back():
    """A copy is ranked by its own last score, so that luck is not inherited by all who copy it."""
    rng = np.random.default_rng(0)

    def noisy(trial, iteration, config):
        return 1 - math.exp(-iteration / 20) + rng.normal(0, 0.05)

    trained = [simulate(train=noisy, population=8, slots=2, save_every=5, seed=seed) for seed in range(4)]
    reports = sum(isinstance(event, Reported) for world in trained for event in world.events)
    assert reports < 1.12 * 4 * 8 * ITERATIONS


def warnings(world: World) -> list[str]:
    plans = [event.plan for event in world.events if isinstance(event, Planned)]
    return list(dict.fromkeys(warning for plan in plans for warning in plan.warnings))


@pytest.mark.parametrize("synch", [False, True])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_that_nobody_can_donate_is_told_once_with_what_to_do(synch: bool, bad: float) -> None:
    world = simulate(synch=synch, train=lambda trial, iteration, config: bad)
    (told,) = warnings(world)
    assert "every trial's last 'score' is NaN or infinite" in told
    assert "lower learning rate" in told
    assert not [one for one in decisions(world) if isinstance(one.source, Load)]


@pytest.mark.parametrize("synch", [False, True])
def test_one_finite_score_is_enough_to_tell_nothing(synch: bool) -> None:
    def train(trial, iteration: int, config) -> float:
        return math.nan if trial.index else float(iteration)

    world = simulate(synch=synch, train=train)
    assert not warnings(world)
    assert {one.donor for one in decisions(world)} > {None}


def test_a_single_trial_without_a_finite_score_has_nobody_to_miss() -> None:
    assert not warnings(simulate(population=1, train=lambda trial, iteration, config: math.nan))
