"""The rules that end trials, alone and in a run."""

from datetime import timedelta

import numpy as np
import pytest

import poptune as tune
from poptune.stoppers import StopRules, stop_rules


def climb(config):
    for step in range(1, 31):
        tune.report({"height": min(step, 10) * config["lr"]})


def run(path, stop, *, executor="inline", num_samples=2):
    return tune.Tuner(
        climb,
        param_space={"lr": tune.grid_search([1.0, 2.0][:num_samples])},
        run_config=tune.RunConfig(storage_path=path, stop=stop, executor=executor, verbose=0),
    ).fit()


def iterations(results):
    return [result.metrics.get("training_iteration", 0) for result in results]


class AfterTwenty(tune.Stopper):
    synchronous = False

    def __call__(self, trial_id, result):
        return result["height"] >= 20


class AllAtTwenty(tune.Stopper):
    def __call__(self, trial_id, result):
        self.reached = result["height"] >= 20
        return False

    def stop_all(self):
        return self.reached


def test_a_maximum_of_iterations_is_left_to_the_workers(tmp_path):
    rules = stop_rules(tune.MaximumIterationStopper(7))
    assert rules == StopRules(thresholds={"training_iteration": 7})
    assert not rules.lockstep
    assert iterations(run(tmp_path, tune.MaximumIterationStopper(7))) == [7, 7]


def test_a_combination_leaves_to_the_workers_what_they_can_judge():
    own = AfterTwenty()
    rules = stop_rules(
        tune.CombinedStopper(tune.MaximumIterationStopper(7), tune.MaximumIterationStopper(5), own)
    )
    assert rules == StopRules(thresholds={"training_iteration": 5}, stoppers=(own,))
    assert not rules.lockstep
    timed = stop_rules(
        tune.CombinedStopper(tune.TimeoutStopper(9), tune.TimeoutStopper(timedelta(minutes=1)))
    )
    assert timed == StopRules(timeout_s=9.0)
    assert stop_rules(tune.NoopStopper()) == stop_rules(None) == StopRules()
    assert stop_rules(lambda trial_id, result: True).lockstep


def test_a_synchronous_stopper_ends_a_trial_with_the_very_result(tmp_path):
    stop = tune.FunctionStopper(lambda trial_id, result: result["height"] >= 6)
    assert iterations(run(tmp_path, stop)) == [6, 3]


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_an_asynchronous_stopper_ends_a_trial_without_holding_it_up(tmp_path, executor):
    results = run(tmp_path, AfterTwenty(), executor=executor)
    assert results.num_terminated == 2
    assert iterations(results)[0] == 30
    assert iterations(results)[1] >= 10


def test_a_stopper_can_end_everything(tmp_path):
    results = run(tmp_path, AllAtTwenty())
    assert results.num_terminated == 2
    assert max(iterations(results)) < 31
    assert results[1].metrics["height"] == 20


def test_a_trial_on_a_plateau_is_ended(tmp_path):
    stopper = tune.TrialPlateauStopper("height", std=0.01, num_results=4, grace_period=4)
    assert iterations(run(tmp_path, stopper)) == [13, 13]


def test_a_plateau_counts_only_where_the_metric_is_good_enough(tmp_path):
    stopper = tune.TrialPlateauStopper("height", metric_threshold=15, mode="max")
    assert iterations(run(tmp_path, stopper)) == [30, 13]


def test_an_experiment_on_a_plateau_is_ended():
    stopper = tune.ExperimentPlateauStopper("loss", std=0.001, top=3, mode="min", patience=1)
    answers = [stopper("t", {"loss": loss}) for loss in (3.0, 1.0, 1.0, 1.0, 1.0)]
    assert answers == [False, False, False, True, True]
    assert not tune.ExperimentPlateauStopper("loss", top=3, mode="max", patience=5)("t", {"loss": 1.0})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tune.MaximumIterationStopper(0), "max_iter .* got 0"),
        (lambda: tune.TimeoutStopper(0), "timeout .* got 0"),
        (lambda: tune.FunctionStopper(3), "needs a function, got 3"),
        (lambda: tune.TrialPlateauStopper("loss", metric_threshold=1.0), "needs a mode"),
        (lambda: tune.ExperimentPlateauStopper("loss", top=0), "top must be at least 1"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(make, message):
    with pytest.raises(tune.ConfigurationError, match=message):
        make()


def test_a_stopper_that_raises_is_named_with_what_to_do(tmp_path):
    def broken(trial_id, result):
        raise KeyError("no such metric")

    with pytest.raises(KeyError) as caught:
        run(tmp_path, broken)
    [note] = caught.value.__notes__
    assert "raised by FunctionStopper, at iteration 1 of trial" in note
    assert "Tuner.restore(path, stop=...)" in note


def test_a_metric_that_a_stopper_lacks_is_named(tmp_path):
    with pytest.raises(tune.ConfigurationError, match=r"needs the metric 'loss' as a number.*'height'"):
        run(tmp_path, tune.TrialPlateauStopper("loss"))


class Enough(tune.TimeoutStopper):
    seen = 0

    def __call__(self, trial_id, result):
        self.seen += 1
        return False

    def stop_all(self):
        return self.seen >= 3 or super().stop_all()


class OnlyWaits(tune.MaximumIterationStopper):
    def __init__(self, seconds):
        super().__init__(5)


class OneMore(tune.MaximumIterationStopper):
    def __call__(self, trial_id, result):
        return result["training_iteration"] > self.max_iter


class Never(tune.NoopStopper):
    def __call__(self, trial_id, result):
        return result["training_iteration"] == 4


class Both(tune.CombinedStopper):
    def __call__(self, trial_id, result):
        return all(stopper(trial_id, result) for stopper in self.stoppers)


@pytest.mark.parametrize(
    ("stop", "ended"),
    [
        (Enough(60), [3]),
        (OneMore(3), [4]),
        (Never(), [4]),
        (Both(tune.MaximumIterationStopper(3), tune.MaximumIterationStopper(6)), [6]),
        (tune.CombinedStopper(Never(), tune.MaximumIterationStopper(9)), [4]),
    ],
)
def test_a_stopper_derived_from_one_of_ours_is_asked_itself(tmp_path, stop, ended):
    assert iterations(run(tmp_path, stop, num_samples=1)) == ended


def test_one_that_overrides_neither_question_is_left_to_the_workers():
    assert stop_rules(OnlyWaits(1)) == StopRules(thresholds={"training_iteration": 5})


def test_a_timeout_that_is_asked_counts_from_the_first_time(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("poptune.stoppers.time.monotonic", lambda: now[0])
    stopper = Enough(10)
    assert not stopper.stop_all()
    now[0] = 109.9
    assert not stopper.stop_all()
    now[0] = 110.0
    assert stopper.stop_all()


class Bell(tune.TimeoutStopper):
    """Rings at the third time that it is asked after a result, and lets the trial hear it."""

    def __init__(self, timeout, told):
        super().__init__(timeout)
        self.told = told
        self.asked = None

    def __call__(self, trial_id, result):
        self.asked = 0
        return False

    def stop_all(self):
        if self.asked is None:
            return False
        self.asked += 1
        if self.asked >= 3:
            self.told.touch()
        return self.asked >= 3


def silent_until_told(config):
    tune.report({"height": 1})
    while not config["told"].exists():
        pass


def test_a_stopper_that_watches_the_clock_is_asked_while_trials_are_silent(tmp_path):
    told = tmp_path / "told"
    stopper = Bell(60, told)
    results = tune.Tuner(
        silent_until_told,
        param_space={"told": told},
        run_config=tune.RunConfig(storage_path=tmp_path / "runs", stop=stopper, verbose=0),
    ).fit()
    assert iterations(results) == [1]
    assert stopper.asked == 3


class Breaks(Bell):
    def stop_all(self):
        if super().stop_all():
            raise ZeroDivisionError("mine")
        return False


def test_one_that_raises_between_results_is_named(tmp_path):
    told = tmp_path / "told"
    tuner = tune.Tuner(
        silent_until_told,
        param_space={"told": told},
        run_config=tune.RunConfig(storage_path=tmp_path / "runs", stop=Breaks(60, told), verbose=0),
    )
    with pytest.raises(ZeroDivisionError) as caught:
        tuner.fit()
    assert "raised by Breaks.stop_all" in caught.value.__notes__[0]


def test_thresholds_may_be_numbers_of_numpy():
    rules = stop_rules({"loss": np.float32(0.5), "training_iteration": np.int64(3)})
    assert [type(value) for value in rules.thresholds.values()] == [float, int]
    assert rules.thresholds == {"loss": 0.5, "training_iteration": 3}
    assert tune.RunConfig(stop={"loss": np.float32(0.5)}).stop
