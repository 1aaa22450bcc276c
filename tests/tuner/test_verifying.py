"""Whole experiments, verified."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import poptune as tune
from poptune.schedulers import PopulationBasedTraining


def climb(config):
    height, step = 0.0, 0
    if checkpoint := tune.get_checkpoint():
        state = checkpoint.to_dict()
        height, step = state["height"], state["step"]
    while True:
        height, step = height + config["lr"], step + 1
        state = tune.Checkpoint.from_dict({"height": height, "step": step})
        tune.report({"height": height}, checkpoint=state)


def run(path, *, stop=None, keep=None, executor="inline", **overrides):
    return tune.Tuner(
        climb,
        param_space={"lr": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(
            metric="height",
            mode="max",
            num_samples=4,
            seed=0,
            scheduler=PopulationBasedTraining(
                time_attr="training_iteration",
                perturbation_interval=2,
                hyperparam_mutations={"lr": tune.uniform(0, 1)},
                **overrides,
            ),
        ),
        run_config=tune.RunConfig(
            storage_path=path,
            name="run",
            executor=executor,
            verbose=0,
            stop=stop or {"training_iteration": 8},
            checkpoint_config=tune.CheckpointConfig(num_to_keep=keep),
        ),
    ).fit()


def files(folder):
    """The files and when they were written, without those that SQLite needs to read beside a writer."""
    return {
        path: path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith("experiment.db-")
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "executor", ["inline", tune.InlineExecutor(slots=3, max_resident_trials=3), tune.ProcessExecutor(slots=2)]
)
def test_a_finished_experiment_is_what_its_journal_says(tmp_path, executor):
    results = run(tmp_path, executor=executor, keep=2)
    before = files(tmp_path / "run")
    found = tune.verify(results.experiment_path)
    assert found.ok, str(found)
    assert found.decisions > 8
    assert 8 <= found.checkpoints <= 12
    assert files(tmp_path / "run") == before


@pytest.mark.slow
def test_an_interrupted_experiment_and_its_continuation_are_what_their_journal_says(tmp_path):
    armed = tmp_path / "armed"
    armed.touch()

    def die_once(trial_id, result):
        if result["training_iteration"] == 5 and armed.exists():
            armed.unlink()
            raise RuntimeError("the controller dies")
        return result["training_iteration"] >= 8

    with pytest.raises(RuntimeError, match="the controller dies"):
        run(tmp_path, stop=die_once, keep=1)
    cut = tune.verify(tmp_path / "run")
    assert cut.ok, str(cut)
    tune.Tuner.restore(tmp_path / "run").fit()
    whole = tune.verify(tmp_path / "run")
    assert whole.ok, str(whole)
    assert whole.events > cut.events


def test_a_changed_journal_and_a_changed_checkpoint_are_told(tmp_path):
    results = run(tmp_path)
    with closing(sqlite3.connect(tmp_path / "run" / "experiment.db")) as journal, journal:
        journal.execute(
            "UPDATE records SET payload = CAST(replace(CAST(payload AS TEXT), 'among the lowest', 'for fun') "
            "AS BLOB) WHERE kind = 'planned'"
        )
    (Path(results[1].checkpoint.path) / "state.safetensors").unlink()
    found = tune.verify(tmp_path / "run")
    assert not found.ok
    assert {difference.what for difference in found.differences} == {"reason"}
    (broken,) = found.broken_checkpoints
    assert broken.checkpoint == results[1].checkpoint.id
    assert "differences" in str(found)
    assert "for fun" in str(found)
    assert "1 missing or changed" in str(found)


def test_code_of_the_users_own_is_told(tmp_path):
    run(tmp_path, custom_explore_fn=lambda config: {"lr": config["lr"] / 2})
    found = tune.verify(tmp_path / "run")
    assert found.ok
    assert found.configs_folded > 0
    assert "configs are the user's own code's" in str(found)


def test_a_folder_without_an_experiment_is_refused(tmp_path):
    with pytest.raises(tune.ExperimentError, match="holds experiment.db, but"):
        tune.verify(tmp_path)
