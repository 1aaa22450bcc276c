import os
import threading
from pathlib import Path

import pytest
from climbers import climb, fit

import poptune as tune
from poptune._running.executors import Executor, InlineExecutor
from poptune.testing.executors import ExecutorConformance


class TestInlineExecutor(ExecutorConformance):
    has_processes = False

    def make_executor(self, slots: int, max_resident_trials: int | None = None) -> Executor:
        return InlineExecutor(slots=slots, max_resident_trials=max_resident_trials)


def test_the_threads_that_keep_the_experiment_are_no_leftovers_of_a_trial(tmp_path):
    """Else each exploit would cost a search for garbage, a fifth of a second where torch is imported."""
    entered = []

    def climb_in_view(config):
        entered.append(threading.current_thread())
        climb(config)

    fit(tmp_path, keep=1, trainable=climb_in_view)
    assert len(entered) > 4, "some trials were copied to"
    assert len(set(entered)) == 4, "each trial has one thread"


def test_a_trial_that_changes_the_working_folder_changes_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    strayed = []

    def wander(config):
        own = Path(tune.get_context().get_trial_dir()).resolve()
        os.chdir(own)
        for step in range(8):
            tune.report({"height": config["lr"]}, checkpoint=tune.Checkpoint.from_dict({"step": step}))
            strayed.extend([] if Path.cwd() == own else [Path.cwd()])

    fit(tmp_path, trainable=wander, executor=InlineExecutor(slots=3))
    assert not strayed
    assert Path.cwd() == tmp_path


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_a_trial_goes_on_reporting_after_an_experiment_of_its_own(tmp_path, executor):
    def inner(config):
        for step in range(3):
            tune.report({"height": config["lr"] + step})

    def outer(config):
        name = tune.get_context().trial_name
        for step in range(2):
            found = tune.Tuner(
                inner,
                param_space=config,
                run_config=tune.RunConfig(
                    executor=InlineExecutor(slots=2), storage_path=tmp_path / name, name=str(step), verbose=0
                ),
            ).fit()
            assert tune.get_context().trial_name == name
            tune.report({"height": found[0].metrics["height"]})

    results = tune.Tuner(
        outer,
        param_space={"lr": tune.grid_search([0.5, 0.25])},
        run_config=tune.RunConfig(executor=executor, storage_path=tmp_path, verbose=0),
    ).fit()
    assert [result.error for result in results] == [None, None]
    assert [result.metrics["height"] for result in results] == [r.config["lr"] + 2 for r in results]


class Sealed:
    """Opens anew only where its number allows it."""

    def __init__(self, number):
        if number == 2:
            raise ValueError("not to be opened")
        self.number = number

    def __reduce__(self):
        return Sealed, (self.number,)


def test_a_config_that_cannot_be_opened_fails_its_trial_alone(tmp_path):
    def train(config):
        tune.report({"number": config["sealed"].number})

    closed = Sealed(1)
    closed.number = 2
    results = tune.Tuner(
        train,
        param_space={"sealed": tune.grid_search([Sealed(1), closed, Sealed(3)])},
        run_config=tune.RunConfig(storage_path=tmp_path, executor="inline", verbose=0),
    ).fit()
    assert [result.metrics.get("number") for result in results] == [1, None, 3]
    assert "ValueError: not to be opened" in str(results.errors[0])
