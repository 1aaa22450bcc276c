"""Trials that fail, hang and are reborn, in real processes."""

import os
import signal
import time
from pathlib import Path

import pytest

import poptune as tune
from poptune.schedulers import PopulationBasedTraining


def fit(path, trainable, *, failures, scheduler=None, space=None, trials=2, stop=6):
    return tune.Tuner(
        trainable,
        param_space={"here": str(path), "lr": tune.uniform(0, 1), **(space or {})},
        tune_config=tune.TuneConfig(
            metric="height", mode="max", num_samples=trials, seed=0, scheduler=scheduler
        ),
        run_config=tune.RunConfig(
            name="run",
            storage_path=path,
            verbose=0,
            stop={"training_iteration": stop},
            executor=tune.ProcessExecutor(slots=2),
            failure_config=tune.FailureConfig(**failures),
        ),
    ).fit()


def climb_from(checkpoint):
    return checkpoint.to_dict()["height"] if checkpoint else 0


def wait_for(mark):
    while not mark.exists():
        os.sched_yield()


@pytest.mark.parametrize("deaf", [False, True])
def test_a_trial_that_hangs_is_ended_and_goes_on_from_its_checkpoint(tmp_path, deaf):
    def train(config):
        if deaf:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        height = climb_from(tune.get_checkpoint())
        mark = Path(config["here"], tune.get_context().get_trial_id())
        while True:
            height += 1
            if height == 3 and not mark.exists():
                mark.touch()
                time.sleep(600)
            tune.report({"height": height}, checkpoint=tune.Checkpoint.from_dict({"height": height}))

    results = fit(tmp_path, train, failures={"max_failures": -1, "report_timeout_s": 1.0})
    assert not results.num_errors
    for result in results:
        assert list(result.metrics_dataframe["height"]) == [1, 2, 3, 4, 5, 6]


def test_a_trial_that_hangs_once_too_often_says_so(tmp_path):
    def train(config):
        time.sleep(600)

    (error, _) = fit(tmp_path, train, failures={"report_timeout_s": 0.3, "on_all_failed": "return"}).errors
    assert "has not reported for 0.3 s (report_timeout_s)" in str(error)


def test_a_trial_whose_hyperparameters_kill_it_is_reborn_from_a_better_one(tmp_path):
    def train(config):
        height = climb_from(tune.get_checkpoint())
        saved, reborn = (Path(config["here"], mark) for mark in ("saved", "reborn"))
        is_second = tune.get_context().get_trial_id().endswith("1")
        while True:
            if config["lr"] > 0.9:
                wait_for(saved)
                os.kill(os.getpid(), signal.SIGKILL)
            if is_second:
                reborn.touch()
            height += 1
            if height == 4 and not is_second:
                saved.touch()
                wait_for(reborn)
            tune.report({"height": height}, checkpoint=tune.Checkpoint.from_dict({"height": height}))

    scheduler = PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=2,
        hyperparam_mutations={"lr": tune.uniform(0, 0.5)},
    )
    results = fit(
        tmp_path,
        train,
        failures={"max_failures": 1, "on_exhausted": "clone"},
        scheduler=scheduler,
        space={"lr": tune.grid_search([0.1, 0.99])},
        trials=1,
        stop=20,
    )
    assert not results.num_errors
    assert results.lineage.exploits
    assert results[1].config["lr"] <= 0.5
    assert [result.metrics["training_iteration"] for result in results] == [20, 20]


def test_a_trial_rests_before_it_is_restarted(tmp_path):
    def train(config):
        begun = Path(config["here"], "begun")
        with begun.open("a") as file:
            print(time.monotonic(), file=file)
        if len(begun.read_text().split()) < 3:
            raise ValueError("not yet")
        tune.report({"height": 1})

    fit(tmp_path, train, failures={"max_failures": 2, "retry_pause_s": 0.2}, trials=1, stop=1)
    first, second, third = map(float, (tmp_path / "begun").read_text().split())
    assert second - first >= 0.2
    assert third - second >= 0.4


@pytest.mark.parametrize(
    ("failures", "message"),
    [
        ({"report_timeout_s": 0}, "report_timeout_s must be a number of seconds, greater than 0, got 0"),
        ({"retry_pause_s": -1}, "retry_pause_s must be a number of seconds, at least 0, got -1"),
        ({"on_exhausted": "clown"}, "on_exhausted must be .* got 'clown'; did you mean 'clone'"),
        ({"max_failures_in_all": -1}, "max_failures_in_all must be a whole number of at least 0, got -1"),
        ({"on_exhausted": "clone"}, "needs a scheduler that copies trials.*got FIFOScheduler"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_starts(tmp_path, failures, message):
    with pytest.raises(tune.ConfigurationError, match=message):
        fit(tmp_path, lambda config: None, failures=failures)
    assert not list(tmp_path.iterdir())


def test_trials_of_this_process_cannot_be_ended_from_outside(tmp_path):
    with pytest.raises(tune.ConfigurationError, match="report_timeout_s needs trials that can be ended"):
        tune.Tuner(
            lambda config: None,
            run_config=tune.RunConfig(
                executor="inline", failure_config=tune.FailureConfig(report_timeout_s=1)
            ),
        )
