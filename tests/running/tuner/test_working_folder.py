"""The trial's working folder is the user's: whatever is done to it, nothing of the run is touched."""

import os
import shutil
from pathlib import Path

import pytest

import poptune as tune
from poptune.schedulers import PopulationBasedTraining


def fit(train, path, *, interval=2, executor="processes", **run):
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=interval,
        synch=True,
        hyperparam_mutations={"lr": tune.uniform(0, 1)},
    )
    return tune.Tuner(
        train,
        param_space={"lr": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(metric="acc", mode="max", num_samples=4, scheduler=scheduler, seed=1),
        run_config=tune.RunConfig(name="run", storage_path=path, verbose=0, executor=executor, **run),
    ).fit()


def begun():
    checkpoint = tune.get_checkpoint()
    if checkpoint is None:
        return 0
    with checkpoint.as_directory() as folder:
        return int(Path(folder, "model.txt").read_text())


def saves_where_it_works(config):
    for step in range(begun() + 1, 7):
        Path("model.txt").write_text(str(step))
        Path("latest").unlink(missing_ok=True)
        Path("latest").symlink_to("nowhere")
        folder = "." if step % 2 else tune.get_context().get_trial_dir()
        tune.report({"acc": config["lr"] * step}, checkpoint=tune.Checkpoint.from_directory(folder))


def makes_folders_that_look_like_ours(config):
    for step in range(begun() + 1, 7):
        folder = Path(f"checkpoint_{step:06d}")
        folder.mkdir(exist_ok=True)
        (folder / "model.txt").write_text(str(step))
        tune.report({"acc": config["lr"] * step}, checkpoint=tune.Checkpoint.from_directory(folder))
        shutil.rmtree(folder)
        Path(f".tmp-checkpoint_{step:06d}-0a").mkdir(exist_ok=True)


def removes_everything(config):
    for step in range(begun() + 1, 7):
        for entry in os.scandir("."):
            Path(entry).unlink(missing_ok=True)
        Path("model.txt").write_text(str(step))
        tune.report({"acc": config["lr"] * step}, checkpoint=tune.Checkpoint.from_directory("."))


def puts_things_in_the_way(config):
    for step in range(begun() + 1, 7):
        for name in ("result.json", "progress.csv", "params.json"):
            if Path(name).is_file():
                Path(name).unlink()
            Path(name).mkdir(exist_ok=True)
        Path("model.txt").write_text(str(step))
        tune.report({"acc": config["lr"] * step}, checkpoint=tune.Checkpoint.from_directory("."))


@pytest.mark.parametrize(
    "train", [saves_where_it_works, makes_folders_that_look_like_ours, removes_everything]
)
def test_the_working_folder_may_be_saved_filled_and_emptied(train, tmp_path):
    results = fit(train, tmp_path, checkpoint_config=tune.CheckpointConfig(num_to_keep=1))
    assert results.num_errors == 0, results.errors
    for result in results:
        assert result.metrics["training_iteration"] == 6
        assert result.checkpoint.to_dict()["model.txt"] == b"6"
        assert result.checkpoint.path.is_relative_to(tmp_path / "run/checkpoints")
    assert tune.verify(results.experiment_path).ok


def test_a_folder_in_the_place_of_a_log_costs_that_log_and_a_warning(tmp_path):
    with pytest.warns(tune.PoptuneWarning, match=r"cannot be written .*the journal has it all"):
        results = fit(puts_things_in_the_way, tmp_path)
    assert results.num_errors == 0, results.errors
    assert [len(result.metrics_dataframe) for result in results] == [6] * 4


def test_what_the_user_has_left_survives_a_restore(tmp_path):
    def train(config):
        folder = Path("checkpoint_000001")
        folder.mkdir(exist_ok=True)
        tune.Checkpoint.from_dict({"mine": 1}).to_directory(folder)
        for step in range(1, 4):
            assert config["lr"]
            tune.report({"acc": step}, checkpoint=tune.Checkpoint.from_dict({"step": step}))

    class Interrupting(tune.Callback):
        fail_run = True

        def on_trial_result(self, iteration, trials, trial, result, **info):
            if result["acc"] == 2 and not (tmp_path / "interrupted").exists():
                (tmp_path / "interrupted").touch()
                raise KeyError

    with pytest.raises(KeyError):
        fit(train, tmp_path, callbacks=[Interrupting()])
    mine = sorted((tmp_path / "run").glob("train_*/checkpoint_000001/*"))
    assert mine
    tune.Tuner.restore(tmp_path / "run").fit()
    assert all(path.exists() for path in mine)
