"""What the first results show that was hardly meant."""

import math
import shutil
from typing import NamedTuple

import pytest

import poptune as tune
from poptune._running.tuner import first_results


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def train(config):
    for step in range(1, 7):
        tune.report({"acc": step}, checkpoint=tune.Checkpoint.from_dict({"weights": b"0" * 10_000}))


def fit(path, *, stop=None, metric=None, **run):
    return tune.Tuner(
        train,
        tune_config=tune.TuneConfig(metric=metric, mode=metric and "max", num_samples=3),
        run_config=tune.RunConfig(
            storage_path=path, verbose=0, executor="inline", stop=stop or {"training_iteration": 3}, **run
        ),
    ).fit()


def test_a_stop_that_the_first_result_lacks_is_told_once_and_the_run_goes_on(tmp_path):
    with pytest.warns(tune.PoptuneWarning) as told:
        results = fit(tmp_path, stop={"epochs_done": 3})
    (message,) = (str(each.message) for each in told)
    assert "lacks 'epochs_done', which stop waits for; it has ['acc'," in message
    assert "Nothing ends the trials unless" in message
    assert results.num_terminated == 3


def test_a_metric_that_the_first_result_lacks_is_told_without_a_scheduler_that_needs_it(tmp_path):
    with pytest.warns(tune.PoptuneWarning, match="lacks 'val_loss', the metric that trials are compared by"):
        fit(tmp_path, metric="val_loss")


def diverge(config):
    for step in range(1, 4):
        tune.report({"loss": config["loss"], "step": step})


def diverged(path, losses):
    return tune.Tuner(
        diverge,
        param_space={"loss": tune.grid_search(losses)},
        tune_config=tune.TuneConfig(metric="loss", mode="min"),
        run_config=tune.RunConfig(storage_path=path, verbose=0, executor="inline"),
    ).fit()


def test_scores_of_which_none_is_finite_are_told_when_each_trial_has_reported(tmp_path):
    with pytest.warns(tune.PoptuneWarning) as told:
        diverged(tmp_path, [math.nan, math.inf, math.nan])
    (message,) = (str(each.message) for each in told)
    assert "Every trial's 'loss' is NaN or infinite from the first result on" in message
    diverged(tmp_path, [math.nan, 2.0, math.inf])  # one that can be the best is enough
    diverged(tmp_path, ["none", "yet"])  # of what is no number, nothing is said


def test_a_trial_that_diverges_in_a_later_session_is_not_taken_for_all(tmp_path):
    fit(tmp_path, name="run", metric="acc", checkpoint_config=tune.CheckpointConfig(num_to_keep=1))
    further = tune.Tuner.restore(tmp_path / "run", trainable=diverging, stop={"training_iteration": 5})
    further.fit()  # a warning would be an error


def diverging(config):
    step = tune.get_checkpoint().to_dict().get("step", 3)
    while True:
        step += 1
        first = tune.get_context().trial_index == 0
        tune.report(
            {"acc": math.nan if first else step}, checkpoint=tune.Checkpoint.from_dict({"step": step})
        )


def test_a_metric_to_keep_checkpoints_by_that_no_result_has_is_told(tmp_path):
    by = tune.CheckpointConfig(num_to_keep=1, checkpoint_score_attribute="accurcy")
    with pytest.warns(tune.PoptuneWarning, match=r"lacks 'accurcy', the checkpoint_score_attribute"):
        fit(tmp_path, checkpoint_config=by)
    by = tune.CheckpointConfig(num_to_keep=1, checkpoint_score_attribute="acc")
    fit(tmp_path, checkpoint_config=by)


def test_checkpoints_that_will_fill_the_disk_are_told_with_what_to_write(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(800_000, 0, 700_000))
    with pytest.warns(tune.PoptuneWarning, match=r"9 of 10.\d kB will take 9\d.\d kB of this disk") as told:
        fit(tmp_path)
    assert "CheckpointConfig(num_to_keep=2)" in str(told[0].message)
    fit(tmp_path, checkpoint_config=tune.CheckpointConfig(num_to_keep=2))  # the advice works
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1_000_000, 0, 700_000))
    fit(tmp_path)
    assert first_results._shown(3.2e9) == "3.2 GB"
