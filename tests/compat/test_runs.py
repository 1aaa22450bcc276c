"""Whole runs through the mirror: sessions, the class form, analyses, callbacks, results."""

import shutil

import pytest

import poptune
from poptune.compat.ray import air, train, tune
from poptune.compat.ray.air import session
from poptune.compat.ray.tune.logger import LoggerCallback
from poptune.compat.ray.tune.schedulers import PopulationBasedTraining


def climb(config):
    step = session.get_checkpoint().to_dict()["step"] if session.get_checkpoint() else 0
    while True:
        step += 1
        if config["lr"] == 13.0:
            raise ValueError("bad luck")
        state = air.Checkpoint.from_dict({"step": step})
        session.report({"height": step * config["lr"]}, checkpoint=state)


def pbt(**changes):
    arguments = {"resample_probability": 0.0, "perturbation_factors": (1.2,), **changes}
    return PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=2,
        metric="height",
        mode="max",
        hyperparam_mutations={"lr": tune.uniform(0.0, 1.0)},
        **arguments,
    )


def test_perturbed_values_may_leave_their_domain_as_in_ray(inline):
    results = tune.Tuner(
        climb,
        param_space={"lr": tune.grid_search([0.5, 1.0])},
        tune_config=tune.TuneConfig(scheduler=pbt(synch=True)),
        run_config=inline(stop={"training_iteration": 4}),
    ).fit()
    assert results[0].config == {"lr": 1.2}


def test_a_frame_of_metrics_has_the_config_of_each_row_as_in_ray(inline):
    results = tune.Tuner(
        climb,
        param_space={"lr": tune.grid_search([0.5, 1.0])},
        tune_config=tune.TuneConfig(scheduler=pbt(synch=True)),
        run_config=inline(stop={"training_iteration": 4}),
    ).fit()
    frame = results[0].metrics_dataframe
    assert list(frame["config/lr"]) == [0.5, 0.5, 1.2, 1.2]
    assert list(frame["training_iteration"]) == [1, 2, 3, 4]
    native = poptune.ResultGrid.from_path(results.experiment_path)[0].metrics_dataframe
    assert list(frame.columns.drop("config/lr")) == list(native.columns)


def test_the_session_tells_who_the_trial_is(inline):
    def tell(config):
        session.report(
            {
                "id": session.get_trial_id(),
                "name": session.get_trial_name(),
                "folder": session.get_trial_dir(),
                "experiment": session.get_experiment_name(),
                "same": train.get_context().get_trial_id() == tune.get_context().trial_id,
                "cpu": tune.get_trial_resources()["cpu"],
            }
        )

    (result,) = tune.Tuner(tell, run_config=inline(name="who")).fit()
    assert result.metrics["id"] == result.trial_id
    assert result.metrics["name"] == f"tell_{result.trial_id}"
    assert result.metrics["folder"] == result.path == str(result.log_dir)
    assert result.metrics["experiment"] == "who"
    assert result.metrics["same"]
    assert result.metrics["cpu"] == 1


def test_metrics_by_keyword_are_an_error_that_says_how(inline):
    def old(config):
        tune.report(loss=0.5, accuracy=0.9)

    results = tune.Tuner(old, run_config=inline(failure_config=tune.FailureConfig())).fit()
    assert results.num_errors == 1
    assert 'write report({"loss": ..., "accuracy": ...})' in str(results.errors[0])


def test_a_class_knows_its_trial(inline):
    class Counter(tune.Trainable):
        def setup(self, config):
            self.seen = []

        def step(self):
            self.seen.append(self.iteration)
            return {"seen": self.seen, "id": self.trial_id, "name": self.trial_name, "folder": self.logdir}

        def save_checkpoint(self, checkpoint_dir):
            return {"seen": self.seen}

        def load_checkpoint(self, checkpoint):
            self.seen = checkpoint["seen"]

    (result,) = tune.Tuner(
        Counter,
        tune_config=tune.TuneConfig(
            trial_name_creator=lambda trial: f"{trial.trainable_name}-{trial.trial_id}"
        ),
        run_config=inline(stop={"training_iteration": 3}),
    ).fit()
    assert result.metrics["seen"] == [0, 1, 2]
    assert result.metrics["name"] == f"Counter-{result.trial_id}"
    assert result.metrics["folder"] == result.path


def test_a_grid_of_one_needs_no_metric(inline):
    results = tune.Tuner(
        climb, param_space={"lr": 1}, run_config=inline(stop={"training_iteration": 1})
    ).fit()
    assert results.get_best_result().metrics["height"] == 1
    assert results.get_best_result().metrics["config"] == {"lr": 1}


@pytest.mark.slow
def test_run_returns_an_analysis(home):
    analysis = tune.run(
        climb,
        name="old",
        metric="height",
        mode="max",
        config={"lr": tune.grid_search([1, 2])},
        stop={"training_iteration": 3},
        keep_checkpoints_num=2,
        checkpoint_score_attr="min-height",
        resources_per_trial={"cpu": 1},
        verbose=0,
    )
    one, two = analysis.trials
    assert analysis.best_config == analysis.get_best_config("height", "max") == {"lr": 2}
    assert analysis.get_best_config(metric="height", mode="min") == {"lr": 1}
    assert analysis.best_trial.trial_id == two.trial_id
    assert analysis.best_logdir == analysis.get_best_logdir() == two.logdir
    assert two.logdir.startswith(str(home / "ray_results" / "old"))
    assert analysis.best_result["height"] == two.last_result["height"] == 6
    assert analysis.best_checkpoint.to_dict() == {"step": 3}
    assert analysis.get_best_checkpoint(two, mode="min").to_dict() == {"step": 1}
    assert analysis.get_last_checkpoint(one).to_dict() == {"step": 3}
    assert list(analysis.best_dataframe["height"]) == [2, 4, 6]
    assert list(analysis.dataframe()["config/lr"]) == [1, 2]
    assert list(analysis.results_df["height"]) == [3, 6]
    assert set(analysis.trial_dataframes) == set(analysis.results) == {one.trial_id, two.trial_id}
    again = tune.ExperimentAnalysis(analysis.experiment_path)
    assert again.best_config == {"lr": 2}
    assert again.get_all_configs()[one.trial_id] == {"lr": 1}


def test_run_raises_for_a_failed_trial_unless_told_otherwise():
    arguments = {"config": {"lr": 13.0}, "verbose": 0}
    with pytest.raises(tune.TuneError, match=r"1 of 1 trials failed(.|\n)*bad luck"):
        tune.run(climb, **arguments)
    assert tune.run(climb, raise_on_failed_trial=False, **arguments).trials[0].error


def test_run_resumes_what_is_there_and_begins_what_is_not():
    def once():
        return tune.run(
            climb, name="again", resume="AUTO", config={"lr": 1}, stop={"training_iteration": 2}, verbose=0
        )

    first = once()
    with pytest.warns(poptune.PoptuneWarning, match="nothing to train"):
        assert once().trials[0].trial_id == first.trials[0].trial_id


@pytest.mark.parametrize("resume", [True, "AUTO", "LOCAL", "AUTO+ERRORED"])
def test_run_begins_what_is_not_there_and_says_so(resume, log):
    once = {"config": {"lr": 1}, "stop": {"training_iteration": 1}, "verbose": 0}
    assert tune.run(climb, name="new", resume=resume, **once).trials[0].last_result["height"] == 1
    assert len([line for line in log() if "begins a new experiment" in line]) == 1


@pytest.mark.parametrize(
    ("resume", "begins_at"),
    [("AUTO+ERRORED", 3), ("AUTO+RESTART_ERRORED", 1), ("AUTO+RESTART_ERRORED+ERRORED", 3)],
)
def test_run_resumes_the_trials_that_failed_if_it_is_said(resume, begins_at, home):
    mended = home / "mended"

    def train(config):
        state = tune.get_checkpoint()
        first = state.to_dict()["step"] + 1 if state else 1
        for step in range(first, 5):
            if step == 3 and not mended.exists():
                raise KeyError("bad luck")
            state = tune.Checkpoint.from_dict({"step": step})
            tune.report({"step": step, "began_at": first}, checkpoint=state)

    arguments = {"name": "again", "raise_on_failed_trial": False, "verbose": 0}
    assert tune.run(train, **arguments).trials[0].status == "ERROR"
    mended.touch()
    (trial,) = tune.run(train, resume=resume, **arguments).trials
    assert (trial.status, trial.last_result["began_at"]) == ("TERMINATED", begins_at)


def test_restore_accepts_the_space_that_ray_asks_for_again(inline, log):
    run = {"name": "r", "stop": {"training_iteration": 1}}
    results = tune.Tuner(climb, param_space={"lr": 1}, run_config=inline(**run)).fit()
    assert tune.Tuner.can_restore(results.experiment_path)
    assert not tune.Tuner.can_restore(results[0].path)
    restored = tune.Tuner.restore(results.experiment_path, trainable=climb, param_space={"lr": 1})
    assert log() == []
    assert isinstance(restored.get_results(), tune.ResultGrid)
    with pytest.warns(poptune.PoptuneWarning, match="nothing to train"):
        assert restored.fit()[0].metrics["height"] == 1


def test_run_resumes_what_is_in_a_remote_folder(monkeypatch, home):
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    url = f"memory://{home.name}"
    arguments = {"name": "far", "storage_path": url, "stop": {"training_iteration": 1}, "verbose": 0}
    assert not tune.Tuner.can_restore(f"{url}/far")
    first = tune.run(climb, config={"lr": 1}, resume=True, **arguments)
    assert tune.Tuner.can_restore(f"{url}/far")
    with pytest.warns(poptune.PoptuneWarning, match="nothing to train"):
        again = tune.run(climb, config={"lr": 1}, resume=True, **arguments)
    assert again.trials[0].trial_id == first.trials[0].trial_id
    shutil.rmtree(home / "cache")
    assert tune.Tuner.can_restore(f"{url}/far")


def test_a_trainable_is_found_by_its_registered_name(inline):
    tune.register_trainable("climber", climb)
    tuner = tune.Tuner("climber", param_space={"lr": 1}, run_config=inline(stop={"training_iteration": 1}))
    assert tuner.fit().num_terminated == 1


def test_a_logger_sees_each_trial_from_its_start_to_its_end(inline):
    class Recorder(LoggerCallback):
        def __init__(self):
            self.calls = []

        def log_trial_start(self, trial):
            self.calls.append(("start", trial.trial_id))

        def log_trial_restore(self, trial):
            self.calls.append(("restore", trial.trial_id))

        def log_trial_save(self, trial):
            self.calls.append(("save", trial.trial_id))

        def log_trial_result(self, iteration, trial, result):
            self.calls.append(("result", trial.trial_id))

        def log_trial_end(self, trial, failed=False):
            self.calls.append(("failed" if failed else "end", trial.trial_id))

    recorder = Recorder()
    results = tune.Tuner(
        climb,
        param_space={"lr": tune.grid_search([0.5, 1.0, 13.0])},
        tune_config=tune.TuneConfig(scheduler=pbt(synch=True)),
        run_config=inline(stop={"training_iteration": 4}, callbacks=[recorder]),
    ).fit()
    low, high, broken = ([what for what, who in recorder.calls if who == r.trial_id] for r in results)
    assert high == ["start", *["result", "save"] * 4, "end"]
    assert low == ["start", *["result", "save"] * 2, "restore", *["result", "save"] * 2, "end"]
    assert broken[-1] == "failed"


def test_a_callbacks_hooks_come_in_rays_order(inline):
    calls = []

    class Order(tune.Callback):
        def on_trial_start(self, iteration, trials, trial, **info):
            calls.append("start")

        def on_trial_result(self, iteration, trials, trial, result, **info):
            calls.append("result")

        def on_trial_save(self, iteration, trials, trial, **info):
            calls.append("save")

        def on_trial_complete(self, iteration, trials, trial, **info):
            calls.append("complete")

        def on_experiment_end(self, trials, **info):
            calls.append("end")

    tune.Tuner(
        climb, param_space={"lr": 1}, run_config=inline(stop={"training_iteration": 1}, callbacks=[Order()])
    ).fit()
    assert calls == ["start", "result", "save", "complete", "end"]
