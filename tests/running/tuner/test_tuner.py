"""Whole runs through the Tuner: restoring, seeds, names, the class form, results."""

import json
import os
import signal
import weakref
from pathlib import Path

import pytest
from climbers import climb

import poptune as tune
from poptune.schedulers import FIFOScheduler, PopulationBasedTraining


def pbt(**overrides):
    return PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=4,
        hyperparam_mutations={"lr": tune.uniform(0, 1)},
        **overrides,
    )


def tuner(path, trainable=climb, *, stop=20, scheduler=None, run=None, **config):
    return tune.Tuner(
        trainable,
        param_space={"lr": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(
            **{
                "metric": "height",
                "mode": "max",
                "num_samples": 4,
                "seed": 0,
                "scheduler": scheduler or pbt(synch=True),
                **config,
            }
        ),
        run_config=tune.RunConfig(
            storage_path=path,
            executor="inline",
            verbose=0,
            stop={"training_iteration": stop} if isinstance(stop, int) else stop,
            **{"name": "run", **(run or {})},
        ),
    )


def outcome(results):
    """Everything of a run that does not name it or tell its time."""
    own = ("height", "training_iteration")
    return [
        (
            result.config,
            [tuple(row) for row in result.metrics_dataframe[list(own)].itertuples(index=False)],
            result.checkpoint.to_dict(),
        )
        for result in results
    ]


def test_the_same_seed_gives_the_same_run(tmp_path):
    one = outcome(tuner(tmp_path, run={"name": "one"}).fit())
    two = outcome(tuner(tmp_path, run={"name": "two"}).fit())
    other = outcome(tuner(tmp_path, run={"name": "other"}, seed=1).fit())
    assert one == two
    assert one != other


def test_each_trial_has_a_seed_of_its_own_that_comes_back_with_the_run(tmp_path):
    def note(config):
        tune.report({"height": 0.0 * config["lr"], "seed": tune.get_context().seed})

    one, two = (
        [
            result.metrics["seed"]
            for result in tuner(tmp_path, note, scheduler=FIFOScheduler(), run={"name": name}).fit()
        ]
        for name in ("one", "two")
    )
    assert one == two
    assert len(set(one)) == 4
    assert all(0 <= seed < 2**32 for seed in one)


def test_an_asynchronous_inline_run_is_reproducible_too(tmp_path):
    one = outcome(tuner(tmp_path, scheduler=pbt(), run={"name": "one"}).fit())
    assert one == outcome(tuner(tmp_path, scheduler=pbt(), run={"name": "two"}).fit())


def test_a_run_interrupted_anywhere_and_restored_equals_one_that_was_not(tmp_path):
    whole = outcome(tuner(tmp_path, run={"name": "whole"}).fit())
    for reports in (1, 7, 16, 40):
        die = die_once_after(reports, tmp_path / "armed")
        with pytest.raises(RuntimeError, match="the controller dies"):
            tuner(tmp_path, stop=die, run={"name": f"cut{reports}"}).fit()
        results = tune.Tuner.restore(tmp_path / f"cut{reports}").fit()
        assert outcome(results) == whole, f"after {reports} reports"


def die_once_after(reports, armed):
    """Return a stop function in which the controller dies, but not again once it was restored."""
    armed.touch()
    seen = []

    def stop(trial_id, result):
        seen.append(trial_id)
        if len(seen) == reports and armed.exists():
            armed.unlink()
            raise RuntimeError("the controller dies")
        return result["training_iteration"] >= 20

    return stop


def test_restoring_a_finished_experiment_returns_its_results(tmp_path):
    whole = outcome(tuner(tmp_path).fit())
    restored = tune.Tuner.restore(tmp_path / "run")
    assert outcome(restored.get_results()) == whole
    with pytest.warns(tune.PoptuneWarning, match="nothing to train"):
        assert outcome(restored.fit()) == whole
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_restore_takes_a_mended_trainable(tmp_path):
    def broken(config):
        tune.report({"height": -1.0})
        tune.report({"height": -2.0})
        raise AssertionError("never reached: the controller dies before")

    def mended(config):
        for _ in range(20):
            tune.report({"height": 10.0})

    with pytest.raises(RuntimeError, match="the controller dies"):
        tuner(tmp_path, broken, stop=die_once_after(2, tmp_path / "armed"), scheduler=FIFOScheduler()).fit()
    results = tune.Tuner.restore(tmp_path / "run", trainable=mended).fit()
    for result in results:
        assert list(result.metrics_dataframe["height"]) == [10.0] * 20


class Momentum:
    """A config value that is no JSON."""


def test_config_values_that_are_no_json_come_back_to_the_run_and_stay_closed_for_others(tmp_path):
    def note(config):
        state = {"what": config["optimizer"]()}
        tune.report({"height": 0.0}, checkpoint=tune.Checkpoint.from_dict(state))

    point = {"lr": 0.5, "optimizer": Momentum}
    ran = tune.Tuner(
        note,
        param_space={"lr": 0.5, "optimizer": tune.choice([Momentum])},
        tune_config=tune.TuneConfig(metric="height", mode="max"),
        run_config=tune.RunConfig(storage_path=tmp_path, name="run", executor="inline", verbose=0),
    )
    own = ran.fit()[0]
    assert own.config == point
    assert isinstance(own.checkpoint.to_dict()["what"], Momentum)
    restored = tune.Tuner.restore(tmp_path / "run").get_results()[0]
    assert restored.config["optimizer"].__name__ == "Momentum"
    foreign = tune.ResultGrid.from_path(tmp_path / "run")[0]
    assert repr(foreign.config["optimizer"]) == repr(Momentum)
    assert foreign.config["optimizer"] is not Momentum
    with pytest.raises(tune.UntrustedCheckpointError, match="what"):
        foreign.checkpoint.to_dict()


def test_the_folder_of_a_trial_tells_its_index_and_sampled_values(tmp_path):
    results = tuner(tmp_path, num_samples=2).fit()
    folder = results[1].path.rsplit("/", 1)[1]
    assert folder.startswith("climb_")
    assert "_00001_1_lr=0." in folder


def test_names_of_trials_and_folders_can_be_made_by_the_user(tmp_path):
    names = []

    def note(config):
        names.append(tune.get_context().get_trial_name())
        tune.report({"height": 0.0 * config["lr"]})

    results = tuner(
        tmp_path,
        note,
        scheduler=FIFOScheduler(),
        trial_name_creator=lambda spec: f"t{spec.index}",
        trial_dirname_creator=lambda spec: f"folder{spec.index}",
    ).fit()
    assert sorted(names) == ["t0", "t1", "t2", "t3"]
    assert results[3].path.endswith("/folder3")
    with pytest.raises(tune.ConfigurationError, match="a folder of its own"):
        tuner(tmp_path, trial_dirname_creator=lambda spec: "same", run={"name": "x"}).fit()


def test_the_projections_agree_with_the_journal(tmp_path):
    results = tuner(tmp_path, scheduler=pbt()).fit()
    for result in results:
        reported = list(result.metrics_dataframe["height"])
        folder = tmp_path / "run" / result.path.rsplit("/", 1)[1]
        rows = [json.loads(line) for line in (folder / "result.json").read_text().splitlines()]
        assert [row["height"] for row in rows] == reported
        assert len((folder / "progress.csv").read_text().splitlines()) == len(reported) + 1
        assert json.loads((folder / "params.json").read_text()) == result.config


@pytest.mark.parametrize("loggers", [(), ("csv",), ["json"], ("json", "csv")])
def test_only_the_chosen_files_of_results_are_written(tmp_path, loggers):
    result = tuner(tmp_path, scheduler=FIFOScheduler(), stop=2, run={"loggers": loggers}).fit()[0]
    written = {path.name for path in Path(result.path).iterdir() if path.is_file()}
    files = {"csv": {"progress.csv"}, "json": {"result.json", "params.json"}}
    assert written == set().union(*(files[logger] for logger in loggers))
    assert list(result.metrics_dataframe["training_iteration"]) == [1, 2]


def test_points_to_evaluate_are_the_first_trials(tmp_path):
    results = tuner(tmp_path, scheduler=FIFOScheduler(), points_to_evaluate=[{"lr": 0.125}], stop=1).fit()
    assert results[0].config == {"lr": 0.125}
    assert len(results) == 4


def test_a_time_budget_ends_everything(tmp_path):
    def endless(config):
        while True:
            tune.report({"height": 0.0})

    results = tuner(tmp_path, endless, scheduler=FIFOScheduler(), stop=10**9, time_budget_s=0.3)
    assert results.fit().num_terminated == 4


def test_a_restored_experiment_remembers_what_its_stoppers_saw_and_what_time_it_took(tmp_path):
    def interrupted(config):
        for step in range(1, 7):
            if step == 4 and not (tmp_path / "interrupted").exists():
                (tmp_path / "interrupted").touch()
                os.kill(os.getpid(), signal.SIGINT)
            tune.report({"height": 1.0}, checkpoint=tune.Checkpoint.from_dict({}))

    plateau = tune.TrialPlateauStopper("height", std=0.1, num_results=5, grace_period=5)
    first = tuner(
        tmp_path, interrupted, stop=plateau, num_samples=1, scheduler=FIFOScheduler(), time_budget_s=600
    )
    (result,) = first.fit()
    assert result.metrics["training_iteration"] == 4
    (result,) = tune.Tuner.restore(tmp_path / "run").fit()
    assert result.metrics["training_iteration"] == 5, "four results that it has seen before, and one more"


def test_a_population_stop_ends_all_trials(tmp_path):
    results = tuner(
        tmp_path,
        scheduler=FIFOScheduler(),
        run={"stop_population_at": {"height": 3.0}},
        max_concurrent_trials=1,
    ).fit()
    reached = [result.metrics.get("height", 0.0) >= 3.0 for result in results]
    assert sum(reached) == 1
    assert results.num_terminated == 4


def test_fail_fast_ends_the_experiment_at_the_first_failure(tmp_path):
    def fails(config):
        tune.report({"height": 1.0})
        raise ValueError("a bug")

    results = tuner(
        tmp_path,
        fails,
        scheduler=FIFOScheduler(),
        run={"failure_config": tune.FailureConfig(fail_fast=True)},
    ).fit()
    assert results.num_errors == 1


def test_what_a_function_had_is_free_before_it_is_entered_anew(tmp_path):
    class Model:
        pass

    models = []

    def hold(config):
        assert all(model() is None for model in models if model.trial == tune.get_context().trial_id)
        model = Model()
        models.append(Reference(model, tune.get_context().trial_id))
        for result in climb_on(config):
            tune.report(*result[:1], checkpoint=result[1])

    def climb_on(config):
        height, step = 0.0, 0
        if checkpoint := tune.get_checkpoint():
            height, step = checkpoint.to_dict()["height"], checkpoint.to_dict()["step"]
        while True:
            height, step = height + config["lr"], step + 1
            yield {"height": height}, tune.Checkpoint.from_dict({"height": height, "step": step})

    results = tuner(tmp_path, hold).fit()
    assert results.num_errors == 0
    assert len(models) > 4


class Reference(weakref.ref):
    """A weak reference that knows whose it is."""

    def __new__(cls, model, trial):
        return super().__new__(cls, model)

    def __init__(self, model, trial):
        super().__init__(model)
        self.trial = trial


def test_num_to_keep_bounds_the_checkpoints_of_a_trial(tmp_path):
    results = tuner(
        tmp_path,
        scheduler=FIFOScheduler(),
        run={"checkpoint_config": tune.CheckpointConfig(num_to_keep=2)},
    ).fit()
    for result in results:
        kept = sorted(
            path.name for path in (tmp_path / "run/checkpoints").glob(f"*{result.trial_id}*/checkpoint_*")
        )
        assert kept == ["checkpoint_000019", "checkpoint_000020"]


def test_the_class_form_is_exploited_in_place(tmp_path):
    calls = []

    class Climber(tune.Trainable):
        def setup(self, config):
            calls.append("setup")
            self.height = 0.0

        def step(self):
            self.height += self.config["lr"]
            return {"height": self.height}

        def save_checkpoint(self, checkpoint_dir):
            return {"height": self.height}

        def load_checkpoint(self, checkpoint):
            calls.append("load")
            self.height = checkpoint["height"]

        def reset_config(self, new_config):
            return True

        def cleanup(self):
            calls.append("cleanup")

    results = tuner(tmp_path, Climber).fit()
    exploits = len(results.lineage.exploits)
    assert exploits > 0
    assert calls.count("setup") == calls.count("cleanup") == 4
    assert calls.count("load") == exploits
    assert all(result.metrics["training_iteration"] == 20 for result in results)
