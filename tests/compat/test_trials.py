"""Trials by Ray's names: of an analysis, in callbacks, and where their names are made."""

from pathlib import Path

import pytest

import poptune
from poptune.compat.ray import tune
from poptune.compat.ray.tune.experiment import Trial, evaluated_params
from poptune.compat.ray.tune.logger import LoggerCallback
from poptune.compat.ray.tune.schedulers import ASHAScheduler
from poptune.search_space import trial_tag


def train(config):
    tune.report({"name": tune.get_context().get_trial_name(), "loss": config["x"], "nested": {"loss": 1}})
    tune.report({"name": "", "loss": 2 * config["x"]}, checkpoint=tune.Checkpoint.from_dict({"x": 1}))


@pytest.fixture
def fit(inline):
    def once(function=train, space=None, tune_config=None, **run):
        return tune.Tuner(
            function,
            param_space=space or {"x": tune.grid_search([1, 2]), "y": 2},
            tune_config=tune_config or tune.TuneConfig(metric="loss", mode="min"),
            run_config=inline(**run),
        ).fit()

    return once


def test_a_trial_of_an_analysis_prints_as_its_name_and_knows_what_was_sampled(fit):
    analysis = tune.ExperimentAnalysis(fit())
    one, two = analysis.trials
    assert str(one) == f"train_{one.trial_id}" == repr(one)
    assert one.trainable_name == "train"
    assert (one.evaluated_params, two.evaluated_params) == ({"x": 1}, {"x": 2})
    assert one.status == "TERMINATED" == Trial.TERMINATED
    assert one.is_finished()
    assert one.experiment_tag == "0_x=1"
    assert one.logdir == one.local_path == one.path
    assert one.metric_analysis["loss"] == {
        "max": 2, "min": 1, "avg": 1.5, "last": 2, "last-5-avg": 1.5, "last-10-avg": 1.5,
    }  # fmt: skip
    assert one.metric_analysis["nested/loss"]["last"] == 1
    assert isinstance(one, Trial)
    assert {one: "first"}[analysis.trials[0]] == "first"
    assert analysis.best_trial == one != two


def test_trials_in_callbacks_have_the_same_names(fit):
    seen = {}

    class See(tune.Callback):
        def on_trial_complete(self, iteration, trials, trial, **info):
            seen[trial] = (
                trial.trainable_name,
                trial.evaluated_params,
                trial.status == trial.TERMINATED,
                trial.checkpoint.to_dict(),
                trial.logdir == str(trial.path),
                trial.is_finished(),
                isinstance(trial, Trial),
            )

        def on_trial_start(self, iteration, trials, trial, **info):
            assert trial.checkpoint is None
            assert not trial.is_finished()

    results = fit(callbacks=[See()])
    assert list(seen.values()) == [("train", {"x": x}, True, {"x": 1}, True, True, True) for x in (1, 2)]
    assert list(map(str, seen)) == [f"train_{result.trial_id}" for result in results]
    assert set(seen) == set(tune.ExperimentAnalysis(results).trials)


def test_a_trial_names_its_folder_and_the_file_of_its_error(fit):
    seen = []

    class See(LoggerCallback):
        def log_trial_start(self, trial):
            trial.init_logdir()
            trial.init_local_path()
            assert trial.error_file is None

        def log_trial_end(self, trial, failed=False):
            seen.append((Path(trial.error_file).read_text().splitlines()[-1], trial.relative_logdir))

    def fail(config):
        tune.report({"loss": 1})
        raise ValueError("bad luck")

    results = fit(fail, space={"x": 1}, callbacks=[See()])
    assert seen == [("ValueError: bad luck", Path(results[0].path).name)]
    (trial,) = tune.ExperimentAnalysis(results).trials
    assert (trial.relative_logdir, trial.error_file) == (seen[0][1], str(Path(trial.path, "error.txt")))
    assert tune.ExperimentAnalysis(fit(space={"x": 1})).trials[0].error_file is None


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("metric_n_steps", "metrics_dataframe"),
        ("run_metadata", "last_result"),
        ("pickled_error_file", "error_file"),
        ("set_status", "stop="),
    ],
)
def test_what_a_trial_of_rays_has_and_ours_has_not_says_why(name, remedy, fit):
    class See(tune.Callback):
        fail_run = True

        def on_trial_start(self, iteration, trials, trial, **info):
            assert not hasattr(trial, name)
            getattr(trial, name)

    with pytest.raises(AttributeError, match=f"Trial.{name} is not mirrored: .*{remedy}"):
        fit(callbacks=[See()])
    (trial,) = tune.ExperimentAnalysis(fit(space={"x": 1})).trials
    with pytest.raises(AttributeError, match=f"Trial.{name} is not mirrored: .*{remedy}"):
        getattr(trial, name)


def test_a_callback_is_given_the_checkpoint_that_a_trial_has_saved(fit):
    seen = []

    class See(tune.Callback):
        def on_checkpoint(self, iteration, trials, trial, checkpoint, **info):
            assert checkpoint == trial.checkpoint
            seen.append(checkpoint)

    results = fit(callbacks=[See()])
    assert seen == [result.checkpoint for result in results]
    assert [checkpoint.to_dict() for checkpoint in seen] == [{"x": 1}, {"x": 1}]


def test_what_a_callback_writes_into_a_result_is_told_once_with_the_way_out(fit, log):
    class Smart(tune.Callback):
        def on_trial_result(self, iteration, trials, trial, result, **info):
            result["should_checkpoint"] = True
            result["loss"] = -1
            del result["name"]

    class ByPosition(Smart):
        def on_trial_result(self, iteration, trials, trial, result, **info):
            super().on_trial_result(iteration, trials, trial, result, **info)

    for callback in (Smart(), ByPosition()):
        grid = fit(callbacks=[callback])
        assert [result.metrics["loss"] for result in grid] == [2, 4]
    told = [line for line in log() if "Smart.on_trial_result writes" in line]
    assert [line.split(" writes ")[1].split(",")[0] for line in told] == [
        "result['loss']",
        "result['should_checkpoint']",
    ]
    assert 'return {"should_checkpoint": True} from step()' in told[1]
    assert "report it in the training code" in told[0]


def test_what_a_hook_hangs_on_a_trial_is_there_in_the_next_hook(fit):
    seen = []

    class Hangs(tune.Callback):
        def on_trial_start(self, iteration, trials, trial, **info):
            assert not hasattr(trial, "best")
            trial.best = float("inf")

        def on_trial_result(self, iteration, trials, trial, result, **info):
            trial.best = min(trial.best, result["loss"])

    class Logs(LoggerCallback):
        def log_trial_end(self, trial, failed=False):
            seen.append((trial.evaluated_params, trial.best))

    fit(callbacks=[Hangs(), Logs()])
    assert seen == [({"x": 1}, 1), ({"x": 2}, 2)]


@pytest.mark.parametrize("name", ["status", "config", "is_finished"])
def test_what_is_a_trials_own_is_not_changed_by_a_hook(name, fit):
    class Sets(tune.Callback):
        fail_run = True

        def on_trial_result(self, iteration, trials, trial, result, **info):
            setattr(trial, name, "TERMINATED")

    with pytest.raises(AttributeError, match=f"trial.{name} is the trial's own.*with stop=.*another name"):
        fit(callbacks=[Sets()])


def test_a_callback_that_only_reads_results_is_told_nothing(fit, log):
    class Reads(tune.Callback):
        def on_trial_result(self, **info):
            info["result"].pop("date", None)

    fit(callbacks=[Reads()])
    assert not [line for line in log() if "on_trial_result" in line]


def test_callbacks_and_loggers_find_the_config_in_the_result(fit):
    seen = []

    class Reads(tune.Callback):
        def on_trial_result(self, iteration, trials, trial, result, **info):
            seen.append((result["config"], trial.last_result["config"]))

    class Logs(LoggerCallback):
        def log_trial_result(self, iteration, trial, result):
            seen.append((result["config"], trial.last_result["config"]))

    fit(callbacks=[Reads(), Logs()], space={"x": 1, "y": 2})
    assert seen == [({"x": 1, "y": 2}, {"x": 1, "y": 2})] * 4


def test_a_hook_of_poptunes_own_sees_poptunes_own_view(fit):
    kinds = set()

    class Native(poptune.Callback):
        def on_trial_start(self, iteration, trials, trial, **info):
            kinds.add(type(trial).__name__)

    fit(callbacks=[Native()])
    assert kinds == {"CallbackTrial"}


@pytest.mark.parametrize(
    ("config", "sampled"),
    [
        ({"a": {"lr": 0.5}, "b": {"lr": 0.1}}, {"a.lr": 0.5}),
        ({"a": {"lr": 0.5}, "b": {"lr": 0.1}}, {"a.lr": 0.5, "b.lr": 0.1}),
        ({"layers": [64, 32], "depth": 2}, {"layers.1": 32}),
        ({"layers": [64, 32]}, {"layers": [64, 32]}),
        ({"name": "a, b=c", "rate": 1e-7}, {"name": "a, b=c", "rate": 1e-7}),
        ({"why so": None, "kind": int}, {"why so": None, "kind": int}),
        ({"x": 1}, {}),
    ],
)
def test_what_was_sampled_is_read_from_the_tag(config, sampled):
    expected = {path.replace(".", "/"): value for path, value in sampled.items()}
    assert evaluated_params(trial_tag(3, sampled), config) == expected


def test_names_with_a_slash_are_fine(fit):
    def name(trial):
        assert trial.status == trial.PENDING
        assert {trial: 1}[trial] == 1
        return f"a/{trial.trainable_name}/{trial.evaluated_params['x']}"

    train.__name__ = "b/train"
    try:
        results = fit(tune_config=tune.TuneConfig(trial_name_creator=name))
    finally:
        train.__name__ = "train"
    analysis = tune.ExperimentAnalysis(results)
    assert list(map(str, analysis.trials)) == ["a/b/train/1", "a/b/train/2"]
    assert {trial.trainable_name for trial in analysis.trials} == {"b/train"}


def nobody(config):
    tune.report({"m": float("nan"), "text": "a"})


def test_where_nobody_has_a_finite_value_there_is_no_best_trial(fit, log):
    analysis = tune.ExperimentAnalysis(fit(nobody, tune_config=tune.TuneConfig()))
    for metric in ("m", "text", "missing"):
        assert analysis.get_best_trial(metric, "max") is None
        assert analysis.get_best_config(metric, "min") is None
        assert analysis.get_best_logdir(metric, "min") is None
    assert len([line for line in log() if "There is no best trial" in line]) == 9
    analysis.default_metric, analysis.default_mode = "m", "max"
    assert analysis.best_trial is analysis.best_config is None
    for what in ("best_result", "best_logdir", "best_checkpoint", "best_dataframe"):
        with pytest.raises(poptune.ExperimentError, match="there is none by metric='m'"):
            getattr(analysis, what)
    assert analysis.get_best_trial("m", "max", filter_nan_and_inf=False) is not None


def test_what_is_asked_wrongly_is_still_an_error(fit):
    analysis = tune.ExperimentAnalysis(fit())
    for wrong in ({"mode": "most"}, {"scope": "first"}):
        with pytest.raises(ValueError, match="must be"):
            analysis.get_best_trial("loss", **wrong)


def test_an_analysis_has_frames_of_the_best_and_becomes_a_grid(fit):
    results = fit()
    analysis = tune.ExperimentAnalysis(results)
    assert list(analysis.best_result_df.index) == [results[0].trial_id]
    assert list(analysis.best_result_df["config/x"]) == [1]
    assert list(analysis.dataframe()["loss"]) == list(analysis.dataframe("loss")["loss"]) == [2, 4]
    assert list(analysis.dataframe("loss", "min")["loss"]) == [1, 2]
    grid = tune.ResultGrid(analysis)
    assert [result.config for result in grid] == [result.config for result in results]
    assert grid[0] == results[0] != grid[1]
    assert len({*grid, *results}) == 2
    assert analysis.get_all_configs(prefix=True)[results[1].trial_id] == {"config/x": 2, "config/y": 2}
    assert analysis.get_best_checkpoint(results[0].path).to_dict() == {"x": 1}
    with pytest.raises(poptune.ExperimentError, match="A trial or its folder"):
        analysis.get_best_checkpoint("/nowhere")


@pytest.mark.parametrize("metric", ["acc", "nested/accuracy"])
def test_a_metric_that_a_result_lacks_is_an_error_of_its_trial(metric, fit):
    results = fit(tune_config=tune.TuneConfig(metric=metric, mode="max"))
    assert results.num_errors == 2
    assert f"The result lacks '{metric}'" in str(results.errors[0])
    with pytest.raises(tune.TuneError, match="lacks 'acc'"):
        tune.run(train, metric="acc", mode="max", config={"x": 1}, verbose=0)


@pytest.mark.parametrize("metric", ["loss", "time_this_iter_s", "training_iteration", "nested/loss"])
def test_what_every_result_has_may_be_the_metric(metric, fit):
    def once(config):
        tune.report({"loss": 1, "nested": {"loss": 1}})

    assert fit(once, tune_config=tune.TuneConfig(metric=metric, mode="max")).num_errors == 0


def test_totals_may_measure_progress_and_be_the_metric(inline):
    def play(config):
        for _ in range(4):
            tune.report({"timesteps_this_iter": 5})

    scheduler = ASHAScheduler(
        time_attr="timesteps_total", metric="timesteps_total", mode="max", grace_period=10, max_t=20
    )
    results = tune.Tuner(play, tune_config=tune.TuneConfig(scheduler=scheduler), run_config=inline()).fit()
    assert results.num_errors == 0


def test_the_check_of_the_metric_is_turned_off_by_rays_variable(fit, monkeypatch):
    monkeypatch.setenv("TUNE_DISABLE_STRICT_METRIC_CHECKING", "1")
    with pytest.warns(poptune.PoptuneWarning, match="The first result lacks 'acc'"):
        assert fit(tune_config=tune.TuneConfig(metric="acc", mode="max")).num_errors == 0
