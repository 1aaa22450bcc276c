import math

import pytest

from poptune._core.events import Planned
from poptune._core.experiment import Experiment
from poptune._core.scheduler import End
from poptune._core.settings import Settings
from poptune.errors import ConfigurationError
from poptune.schedulers import ASHAScheduler, AsyncHyperBandScheduler
from poptune.testing.simulation import World, created


def simulate(scheduler, train, *, trials, slots=1, iterations=100, seed=0):
    world = World(
        Experiment(scheduler.for_metric("score", "max"), Settings(slots=slots)), train, iterations=iterations
    )
    world.run(created([{} for _ in range(trials)], seed=seed))
    return world


def stopped_at(world):
    return [trial.iteration for trial in world.experiment.population.trials]


def test_the_two_names_are_one_scheduler():
    assert ASHAScheduler is AsyncHyperBandScheduler


@pytest.mark.parametrize(
    ("arguments", "rungs"),
    [
        ({"grace_period": 1, "max_t": 10, "reduction_factor": 2}, [1, 2, 4, 8]),
        ({"grace_period": 1, "max_t": 100, "reduction_factor": 4}, [1, 4, 16, 64]),
        ({"grace_period": 1, "max_t": 1000, "reduction_factor": 10}, [1, 10, 100]),
        ({"grace_period": 1, "max_t": 125, "reduction_factor": 5}, [1, 5, 25]),
    ],
)
def test_rungs_stand_below_the_end(arguments, rungs):
    assert ASHAScheduler(**arguments).rungs(0) == rungs


def test_a_trial_below_the_best_quarter_before_it_is_stopped_at_the_rung():
    scores = [0.5, 0.4, 0.6, 0.55, 0.45, 0.7]
    world = simulate(
        ASHAScheduler(max_t=4, reduction_factor=4), lambda trial, i, config: scores[trial.index], trials=6
    )
    assert stopped_at(world) == [4, 1, 4, 4, 1, 4]


def test_each_later_bracket_begins_one_rung_later():
    scheduler = ASHAScheduler(max_t=100, reduction_factor=4, brackets=3)
    assert [scheduler.rungs(bracket)[0] for bracket in range(3)] == [1, 4, 16]
    world = simulate(scheduler, lambda trial, i, config: 0.0, trials=60, slots=4)
    drawn = [trial.id for trial in world.experiment.population.trials]
    brackets = [world.experiment.state.bracket[trial] for trial in drawn]
    assert brackets.count(0) > brackets.count(1) > brackets.count(2)


def test_no_trial_is_stopped_in_its_grace_period_and_all_end_at_max_t():
    world = simulate(
        ASHAScheduler(max_t=20, grace_period=5, reduction_factor=2),
        lambda trial, i, config: -trial.index,
        trials=5,
        slots=2,
    )
    assert min(stopped_at(world)) >= 5
    assert max(stopped_at(world)) == 20


def test_without_stop_last_trials_survivors_train_to_their_own_end():
    scheduler = ASHAScheduler(max_t=4, stop_last_trials=False)
    world = simulate(scheduler, lambda trial, i, config: 1.0, trials=1, iterations=30)
    assert stopped_at(world) == [30]


def test_a_score_that_is_not_finite_is_below_all_others():
    def train(trial, iteration, config):
        return math.nan if trial.index == 1 else 0.0

    assert stopped_at(simulate(ASHAScheduler(max_t=8), train, trials=3))[1] == 1


def test_a_fold_of_the_journal_gives_the_live_rungs():
    world = simulate(
        ASHAScheduler(max_t=50, reduction_factor=2), lambda t, i, c: -t.index + i, trials=8, slots=3
    )
    other = Experiment(
        ASHAScheduler(max_t=50, reduction_factor=2).for_metric("score", "max"), Settings(slots=3)
    )
    for event in world.events:
        other.fold(event)
    assert other.state == world.experiment.state
    ends = [d for e in world.events if isinstance(e, Planned) for d in e.plan.decisions if d.next == End()]
    assert ends


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_t": 0}, "max_t must be above 0, got 0"),
        ({"grace_period": 200}, "grace_period must be from above 0 to max_t, got 200"),
        ({"reduction_factor": 1}, "reduction_factor must be above 1, got 1"),
        ({"brackets": 0}, "brackets must be at least 1, got 0"),
    ],
)
def test_an_argument_out_of_range_is_named(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        ASHAScheduler(**arguments)


def test_a_metric_is_needed():
    with pytest.raises(
        ConfigurationError, match="AsyncHyperBandScheduler ranks trials, so it needs a metric"
    ):
        ASHAScheduler().for_metric(None, "max")
