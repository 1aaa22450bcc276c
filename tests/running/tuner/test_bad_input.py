"""Each bad input ends in a clear error before anything starts: what is required, what was given, the fix."""

import os
import threading

import pytest

import poptune as tune
from poptune.schedulers import PopulationBasedTraining


def train(config):
    for step in range(1, 7):
        tune.report({"loss": step * config.get("lr", 1.0)})


def pbt(**overrides):
    arguments = {
        "time_attr": "training_iteration",
        "perturbation_interval": 2,
        "hyperparam_mutations": {"lr": tune.uniform(0, 1)},
    }
    return PopulationBasedTraining(**{**arguments, **overrides})


def tuner(path, trainable=train, executor="inline", space=None, run=None, **config):
    return tune.Tuner(
        trainable,
        param_space={"lr": tune.uniform(0, 1)} if space is None else space,
        tune_config=tune.TuneConfig(**{"metric": "loss", "mode": "min", **config}),
        run_config=tune.RunConfig(
            **{"storage_path": path, "executor": executor, "verbose": 0, "name": "bad", **(run or {})}
        ),
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tune.TuneConfig(metirc="loss"), "has no argument 'metirc'; did you mean 'metric'"),
        (lambda: tune.RunConfig(storage="."), "has no argument 'storage'; did you mean 'storage_path'"),
        (lambda: tune.CheckpointConfig(num_keep=1), "did you mean 'num_to_keep'"),
        (lambda: tune.FailureConfig(max_failure=1), "did you mean 'max_failures'"),
        (lambda: tune.Tuner(train, param_spaces={}), "did you mean 'param_space'"),
        (lambda: pbt(quantile_fractions=0.2), "did you mean 'quantile_fraction'"),
    ],
)
def test_an_unknown_keyword_is_answered_with_the_nearest_right_one(make, message):
    with pytest.raises(TypeError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: pbt(quantile_fraction=0.7), r"quantile_fraction must be from 0 to 0.5, got 0.7"),
        (lambda: pbt(perturbation_interval=0), r"perturbation_interval must be greater than 0, got 0"),
        (lambda: pbt(resample_probability=1.5), r"resample_probability must be from 0 to 1, got 1.5"),
        (lambda: pbt(burn_in_period=-1), r"burn_in_period must be at least 0, got -1"),
        (lambda: tune.RunConfig(loggers=["cvs"]), r"loggers must be .* got \['cvs'\]; did you mean 'csv'"),
        (lambda: tune.RunConfig(loggers="csv"), r"loggers must be a list .* got 'csv'"),
        (lambda: pbt(perturbation_factors=()), r"perturbation_factors must be .* got \(\)"),
        (lambda: pbt(perturbation_factors=(1.2, -1)), r"perturbation_factors must be .* got \(1.2, -1\)"),
        (lambda: pbt(mode="maximum"), r"mode must be \"min\" or \"max\", got 'maximum'"),
        (lambda: pbt(hyperparam_mutations=None), "needs something to explore"),
        (lambda: pbt(hyperparam_mutations={"lr": 0.1}), r"'lr' must be .* got 0.1"),
        (
            lambda: pbt(hyperparam_mutations={"optimizer": {"adam": {"lr": "fast"}}}),
            r"'optimizer.adam.lr' must be .* got 'fast'",
        ),
        (
            lambda: pbt(hyperparam_mutations={"optimizer": {"lr": tune.grid_search([1, 2])}}),
            r"'optimizer.lr' must be .* got grid_search\(\[1, 2\]\)",
        ),
        (
            lambda: pbt(hyperparam_mutations={"lr": tune.sample_from(lambda spec: 1)}),
            r"'lr' must be .* got sample_from",
        ),
        (lambda: tune.choice([]), "at least one value"),
        (lambda: tune.loguniform(0, 1), "loguniform"),
        (lambda: tune.TuneConfig(num_samples=0), "num_samples must be a whole number of at least 1, got 0"),
        (lambda: tune.TuneConfig(mode="maximise"), "mode must be"),
        (
            lambda: tune.TuneConfig(time_budget_s=0),
            "time_budget_s must be a number of seconds, greater than 0",
        ),
        (lambda: tune.TuneConfig(scheduler=PopulationBasedTraining), "must be a scheduler object"),
        (lambda: tune.RunConfig(callbacks=tune.Callback()), r"must be a list .* write .*callbacks=\[...\]"),
        (lambda: tune.RunConfig(callbacks=None), "callbacks must be a list of callbacks, got None"),
        (lambda: tune.RunConfig(callbacks=iter([])), "callbacks must be a list of callbacks, got <list_iter"),
        (lambda: tune.RunConfig(name="a/b"), "without slashes, got 'a/b': the folder that"),
        (lambda: tune.RunConfig(name=".."), "must name one folder, .*got '..'"),
        (lambda: tune.RunConfig(name="a\nb"), "must hold no control characters"),
        (lambda: tune.RunConfig(stop={"loss": "low"}), "got 'loss': 'low'"),
        (lambda: tune.RunConfig(stop=[("loss", 1)]), "stop must be a dict"),
        (
            lambda: tune.RunConfig(stop=tune.MaximumIterationStopper),
            r"got the class MaximumIterationStopper: make one of it, stop=MaximumIterationStopper\(...\)",
        ),
        (lambda: tune.RunConfig(stop=lambda result: True), r"of a trial's id and its result, got <function"),
        (lambda: tune.RunConfig(stop=len), "def stop\\(trial_id, result\\)"),
        (lambda: tune.TuneConfig(time_budget_s="10"), "time_budget_s must be a number of seconds"),
        (lambda: tune.RunConfig(progress="lively"), "progress must be one of .*did you mean 'live'"),
        (lambda: tune.with_resources(train, {"GPU": 1}), 'are named "cpu", "gpu".* got \'GPU\''),
        (lambda: tune.ProcessExecutor(slots=0), "slots must be a whole number of at least 1, got 0"),
        (lambda: tune.ProcessExecutor(preload="torch"), r"write \['torch'\]"),
    ],
)
def test_a_value_out_of_range_is_named_with_what_to_write(make, message):
    with pytest.raises(tune.ConfigurationError, match=message):
        make()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"executor": "process"}, "executor must be one of processes, ray, inline.*did you mean 'processes'"),
        ({"space": {"lr": tune.uniform(0, 1), 3: 1}}, "3"),
        ({"metric": None, "mode": None, "scheduler": pbt()}, "needs a metric and a mode"),
        ({"mode": "max", "scheduler": pbt(mode="min")}, "mode must be the same .* got 'max' and 'min'"),
        ({"mode": None}, "A metric needs a mode"),
        ({"trainable": 3}, "must be a function of the config or a subclass of tune.Trainable, got 3"),
        ({"trainable": threading.Thread}, "subclass of tune.Trainable, got Thread"),
        ({"trainable": lambda: None}, "must take the config"),
        ({"points_to_evaluate": [{"lrr": 1.0}]}, "lrr"),
    ],
)
def test_a_definition_that_does_not_fit_together_is_refused(tmp_path, overrides, message):
    with pytest.raises(tune.ConfigurationError, match=message):
        tuner(tmp_path, **overrides)
    assert list(tmp_path.iterdir()) == []


def test_a_trainable_that_cannot_be_pickled_is_told_what_it_captures(tmp_path):
    lock = threading.Lock()

    def locked(config):
        with lock:
            tune.report({"loss": 0.0})

    with pytest.raises(tune.ConfigurationError, match="locked captures .*'lock', a lock"):
        tuner(tmp_path, trainable=locked, executor="processes")
    assert len(tuner(tmp_path, trainable=locked, executor="inline").fit()) == 1


@pytest.mark.parametrize("executor", ["inline", "processes"])
@pytest.mark.parametrize("value", [threading.Lock(), tune.sample_from(lambda spec: threading.Lock())])
def test_a_config_value_that_cannot_be_pickled_is_named(tmp_path, executor, value):
    with pytest.raises(
        tune.ConfigurationError, match="but 'net.guard' cannot be pickled .*inside the trainable"
    ):
        tuner(tmp_path, executor=executor, space={"net": {"guard": value}})
    assert list(tmp_path.iterdir()) == []


class Guarded(tune.Stopper):
    def __init__(self):
        self.guard = threading.Lock()

    def __call__(self, trial_id, result):
        return True

    def stop_all(self):
        return False


def ends_with(lock):
    return lambda trial_id, result: lock.locked()


def names_with(lock):
    return lambda spec: f"{lock}"


@pytest.mark.parametrize("executor", ["inline", "processes"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"run": {"stop": Guarded()}}, r"RunConfig\(stop=...\) .* the Guarded given holds 'guard', a lock"),
        ({"run": {"stop": ends_with(threading.Lock())}}, r"the function given holds 'lock', a lock"),
        (
            {"trial_name_creator": names_with(threading.Lock())},
            r"TuneConfig\(trial_name_creator=...\) must be",
        ),
        ({"points_to_evaluate": [{"lr": threading.Lock()}]}, r"the list given holds '0.lr', a lock"),
        (
            {"scheduler": pbt(custom_explore_fn=names_with(threading.Lock()), synch=True), "num_samples": 2},
            r"TuneConfig\(scheduler=...\) .* the PopulationBasedTraining given holds 'custom_explore_fn'",
        ),
    ],
)
def test_what_a_restore_needs_and_cannot_be_pickled_is_named(tmp_path, executor, arguments, message):
    with pytest.raises(tune.ConfigurationError, match=f"{message}.*create that where it is used first"):
        tuner(tmp_path, executor=executor, **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_storage_path_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(tune.ConfigurationError, match="storage_path must be a folder, got .*is a file"):
        tuner(tmp_path / "file").fit()
    with pytest.raises(tune.ConfigurationError, match="lies below one"):
        tuner(tmp_path / "file" / "below").fit()


def test_a_storage_path_that_cannot_be_written_is_refused():
    with pytest.raises(tune.ConfigurationError, match="storage_path must be a folder that can be written"):
        tuner("/proc/nowhere").fit()


def test_the_name_of_an_interrupted_experiment_is_refused_with_how_to_restore(tmp_path):
    def fail_to_go_on(trial_id, result):
        raise RuntimeError("the controller dies")

    with pytest.raises(RuntimeError, match="the controller dies"):
        tuner(tmp_path, run={"stop": fail_to_go_on}).fit()
    with pytest.raises(tune.ExperimentError, match=r"was interrupted .*Tuner.restore\('.*bad'\).fit\(\)"):
        tuner(tmp_path).fit()


def test_a_folder_that_is_no_experiment_is_left_alone(tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "thesis.tex").write_text("precious")
    with pytest.raises(tune.ExperimentError, match="is no experiment: choose another name"):
        tuner(tmp_path).fit()
    with pytest.raises(tune.ExperimentError, match="holds experiment.db, but"):
        tune.Tuner.restore(tmp_path / "bad")


def test_a_finished_experiment_of_the_same_name_is_moved_aside(tmp_path):
    for _ in range(3):
        tuner(tmp_path).fit()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad", "bad.1", "bad.2"]


def test_more_gpus_than_there_are_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(tune.ConfigurationError, match="needs 2 GPUs, but this machine shows 1 of them"):
        tuner(tmp_path, executor="processes", resources_per_trial={"gpu": 2})


def test_a_population_of_one_under_pbt_is_doubtful(tmp_path):
    with pytest.warns(tune.PoptuneWarning, match="nobody to copy") as caught:
        tuner(tmp_path, scheduler=pbt(), num_samples=1)
    assert caught[0].filename == __file__


def test_a_stop_on_the_metric_under_mode_min_is_doubtful(tmp_path):
    with pytest.warns(tune.PoptuneWarning, match='at least that value, also under mode="min"'):
        tuner(tmp_path, run={"stop": {"loss": 0.1}})


def test_a_trainable_that_never_saves_under_pbt_is_told_how_once(tmp_path):
    with pytest.warns(tune.PoptuneWarning, match=r"report\(metrics, checkpoint=...\)") as caught:
        results = tuner(tmp_path, scheduler=pbt(), num_samples=4).fit()
    assert len(caught) == 1
    assert results.num_terminated == 4


def test_a_class_that_cannot_save_is_refused_under_pbt(tmp_path):
    class Forgetful(tune.Trainable):
        def step(self):
            return {"loss": 0.0}

    with pytest.raises(tune.ConfigurationError, match="Forgetful must define save_checkpoint"):
        tuner(tmp_path, trainable=Forgetful, scheduler=pbt(), num_samples=4)


def test_a_result_without_the_metric_fails_its_trial_and_lists_the_keys(tmp_path):
    def misnamed(config):
        tune.report({"accuracy": 0.5, "lr": config["lr"]})

    with pytest.raises(tune.AllTrialsFailedError) as raised:
        tuner(tmp_path, trainable=misnamed, scheduler=pbt(), num_samples=2).fit()
    results = raised.value.results
    assert results.num_errors == 2
    message = str(results.errors[0])
    assert "lacks 'loss'" in message
    assert "['accuracy', 'lr']" in message


def test_a_function_that_never_reports_fails_its_trial(tmp_path):
    with pytest.raises(
        tune.AllTrialsFailedError, match=r"ended without a report: call tune.report"
    ) as raised:
        tuner(tmp_path, trainable=lambda config: None).fit()
    assert "ended without a report" in str(raised.value.results.errors[0])


def test_an_exception_shows_the_user_s_own_traceback_and_the_others_go_on(tmp_path):
    def explode(config):
        tune.report({"loss": 1.0})
        if config["index"] == 1:
            raise KeyError("no such layer")

    space = {"index": tune.grid_search([0, 1, 2])}
    results = tuner(tmp_path, trainable=explode, space=space).fit()
    assert results.num_errors == 1
    assert results.num_terminated == 2
    lines = str(results[1].error).splitlines()
    assert "test_bad_input.py" in lines[1]
    assert lines[-1] == "KeyError: 'no such layer'"


def test_report_outside_a_trial_says_where_it_belongs():
    with pytest.raises(tune.TrainableError, match=r"pass the function to tune.Tuner\(function\).fit\(\)"):
        tune.report({"loss": 0.0})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(tune.ConfigurationError, match="can be written"):
        tuner(tmp_path).fit()
