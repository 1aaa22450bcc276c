import pytest

from poptune._base.types import TrialId
from poptune._core.experiment import Experiment
from poptune._core.settings import Settings
from poptune.errors import ConfigurationError
from poptune.schedulers import MedianStoppingRule
from poptune.schedulers.median import Curves
from poptune.testing.simulation import World, created


def stopped_at(train, *, trials, slots=8, iterations=20, **arguments):
    rule = MedianStoppingRule(
        **{"time_attr": "training_iteration", "grace_period": 3, "min_samples_required": 2, **arguments}
    )
    world = World(
        Experiment(rule.for_metric("score", "max"), Settings(slots=slots)), train, iterations=iterations
    )
    world.run(created([{} for _ in range(trials)]))
    return [trial.iteration for trial in world.experiment.population.trials]


def worse_by_index(trial, iteration, config):
    return -float(trial.index)


def test_trials_below_the_median_of_the_others_are_stopped_after_the_grace_period():
    stopped = stopped_at(worse_by_index, trials=5)
    assert stopped[:2] == [20, 20]
    assert stopped[4] == 3


def test_nobody_is_stopped_before_enough_others_came_as_far():
    assert stopped_at(worse_by_index, trials=3, min_samples_required=3) == [20, 20, 20]


def test_a_trial_alone_on_one_slot_is_compared_with_those_that_are_done():
    assert stopped_at(worse_by_index, trials=4, slots=1) == [20, 20, 3, 3]


def test_a_trial_is_not_judged_again_within_its_time_slice():
    """The last trial is good for its first two results only; its best must fall behind to be stopped."""

    def rising(trial, iteration, config):
        return float(iteration) if trial.index < 3 else 1.2

    often = stopped_at(rising, trials=4, slots=1, grace_period=1, min_time_slice=0)[3]
    seldom = stopped_at(rising, trials=4, slots=1, grace_period=1, min_time_slice=7)[3]
    assert often == 2
    assert seldom == 8


def test_the_best_score_counts_not_the_last():
    def peaks_early(trial, iteration, config):
        return 9.0 if trial.index == 4 and iteration == 1 else -float(trial.index)

    assert stopped_at(peaks_early, trials=5)[4] == 20


@pytest.mark.parametrize(
    "arguments", [{"grace_period": -1}, {"min_samples_required": 0}, {"min_time_slice": -1}]
)
def test_an_argument_out_of_range_is_refused(arguments):
    with pytest.raises(ConfigurationError, match="must be at least 0 and min_samples_required at least 1"):
        MedianStoppingRule(**arguments)


def test_scores_whose_sum_is_too_large_have_a_mean() -> None:
    curves = Curves(points={TrialId("t"): [(1.0, 1e308), (2.0, 1.5e308)]})
    assert curves.mean_until(TrialId("t"), 2.0, since=0.0) == pytest.approx(1.25e308)
