"""Mistakes of the training code: told once, where they are, and without killing trial after trial."""

import subprocess
import sys
from pathlib import Path

import pytest

import poptune as tune
from poptune.schedulers import PopulationBasedTraining


def fit(train, path, *, trials=6, scheduler=None, stop=None, metric="acc", **run):
    return tune.Tuner(
        train,
        param_space={"lr": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(
            metric=metric, mode="max", num_samples=trials, seed=1, scheduler=scheduler
        ),
        run_config=tune.RunConfig(
            **{
                "name": "run",
                "storage_path": path,
                "verbose": 0,
                "executor": "inline",
                "stop": stop or {"training_iteration": 6},
                **run,
            }
        ),
    ).fit()


def pbt():
    return PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=2,
        synch=True,
        hyperparam_mutations={"lr": tune.uniform(0, 1)},
    )


def imports_what_is_not_there(config):
    import nowhere.to_be_found  # noqa: F401


def names_what_is_not_there(config):
    tune.report({"acc": undefined_name})  # noqa: F821


def misspells_the_metric(config):
    while True:
        tune.report({"Acc": 1.0})


def never_reports(config):
    return


@pytest.mark.parametrize(
    ("train", "words"),
    [
        (imports_what_is_not_there, "ModuleNotFoundError: No module named 'nowhere'"),
        (names_what_is_not_there, "NameError: name 'undefined_name' is not defined"),
        (misspells_the_metric, "waits for 'acc', which the first result lacks, but it has 'Acc'"),
        (never_reports, "ended without a report"),
    ],
)
def test_a_mistake_that_all_would_meet_ends_the_run_after_two_trials_and_is_told_once(train, words, tmp_path):
    with pytest.raises(tune.AllTrialsFailedError) as raised:
        fit(train, tmp_path, failure_config=tune.FailureConfig(max_failures=3))
    message, results = str(raised.value), raised.value.results
    assert message.startswith("2 of 6 trials have failed by a mistake in the training code")
    assert message.count(words) == 1
    assert results.num_errors == 2
    assert not any("training_iteration" in result.metrics for result in results)


def test_the_line_of_the_users_code_is_named_and_the_whole_error_is_in_the_trials_folder(tmp_path):
    with pytest.raises(tune.AllTrialsFailedError) as raised:
        fit(names_what_is_not_there, tmp_path)
    line = names_what_is_not_there.__code__.co_firstlineno + 1
    assert f"trials 0, 1 (2) at test_mistakes.py:{line}: NameError" in str(raised.value)
    text = Path(raised.value.results[0].path, "error.txt").read_text()
    assert text == str(raised.value.results[0].error) + "\n"
    assert "Traceback" in text


def test_the_trials_that_were_ended_for_it_train_on_when_it_is_mended(tmp_path):
    with pytest.raises(tune.AllTrialsFailedError):
        fit(names_what_is_not_there, tmp_path)

    def mended(config):
        while True:
            tune.report({"acc": config["lr"]})

    restored = tune.Tuner.restore(tmp_path / "run", trainable=mended, resume_errored=True)
    results = restored.fit()
    assert [result.metrics["training_iteration"] for result in results] == [6] * 6
    assert not list((tmp_path / "run").glob("*/error.txt"))
    assert tune.verify(tmp_path / "run").ok


def test_a_hyperparameter_that_nothing_uses_ends_the_run_at_the_first_exploits(tmp_path):
    def train(config):
        value = tune.StateRef(config["lr"])
        for _ in tune.steps(config, value=value):
            tune.report({"acc": value.value, "lr": config["lr"]})

    with pytest.warns(tune.PoptuneWarning, match="'lr' changed at iteration 2 and nothing"):
        results = fit(train, tmp_path, trials=8, scheduler=pbt())
    assert results.num_errors == 2
    assert len(results) == 8


def test_failures_that_may_be_bad_luck_cost_their_trials_only(tmp_path):
    def train(config):
        for step in range(6):
            if config["lr"] > 0.5 and step == 1:
                raise RuntimeError(f"diverged at {config['lr']}")
            tune.report({"acc": step})

    results = fit(train, tmp_path)
    assert 1 < results.num_errors < 6


def test_where_all_trials_fail_fit_raises_with_the_results_unless_it_is_to_return_them(tmp_path):
    def train(config):
        raise RuntimeError(f"diverged at {config['lr']}")

    with pytest.raises(tune.AllTrialsFailedError, match="All 6 trials have failed") as raised:
        fit(train, tmp_path)
    assert str(raised.value).count("diverged") == 1, "they are alike"
    assert raised.value.results.num_errors == 6
    returned = fit(train, tmp_path, failure_config=tune.FailureConfig(on_all_failed="return"))
    assert returned.num_errors == 6


@pytest.mark.parametrize(
    ("stop", "metric", "words"),
    [
        ({"training_iterations": 5}, "acc", "'training_iterations'.*it has 'training_iteration'"),
        ({"Training-Iteration": 5}, "acc", "it has 'training_iteration'"),
        ({"time_total": 5, "training_iteration": 6}, "acc", "it has 'time_total_s'"),
        ({"training_iteration": 6}, "test/Acc", "it has 'test/acc'"),
    ],
)
def test_a_misspelt_key_of_stop_or_metric_is_told_at_the_first_result(stop, metric, words, tmp_path):
    def train(config):
        while True:
            tune.report({"acc": 1.0, "test": {"acc": 1.0}})

    with pytest.raises(tune.AllTrialsFailedError, match=words):
        fit(train, tmp_path, stop=stop, metric=metric)


SCRIPT = """
import poptune as tune

def train(config):
    raise KeyError("lr")

tune.Tuner(train, run_config=tune.RunConfig(storage_path=".", name="x", verbose=0)).fit()
"""


def test_a_script_whose_trials_all_fail_ends_with_an_exit_code(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    ran = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert "The only trial has failed:\n  trial 0 at script.py:5: KeyError: 'lr'" in ran.stderr


def test_an_experiment_that_is_moved_aside_is_named_and_its_old_results_say_where_it_went(tmp_path, capsys):
    def train(config):
        for step in range(3):
            tune.report({"acc": step}, checkpoint=tune.Checkpoint.from_dict({"step": step}))

    old = fit(train, tmp_path)
    assert len(old[0].metrics_dataframe) == 3
    fit(train, tmp_path, verbose=1, progress="lines")
    aside = tmp_path / "run.1"
    assert f"The experiment that had this name is in {aside} now" in capsys.readouterr().out
    for look in (lambda: old[0].metrics_dataframe, lambda: old[0].checkpoint):
        with pytest.raises(tune.ExperimentError, match=rf"lies in {aside} now.*from_path\('{aside}'\)"):
            look()
    assert len(tune.ResultGrid.from_path(aside)[0].metrics_dataframe) == 3
