"""Whole experiments, verified."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from climbers import fit

import poptune as tune


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
    results = fit(tmp_path, executor=executor, keep=2, scheduler={"synch": False}, loggers=("csv", "json"))
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
        fit(tmp_path, stop=die_once, scheduler={"synch": False})
    cut = tune.verify(tmp_path / "run")
    assert cut.ok, str(cut)
    tune.Tuner.restore(tmp_path / "run").fit()
    whole = tune.verify(tmp_path / "run")
    assert whole.ok, str(whole)
    assert whole.events > cut.events


def test_a_changed_journal_and_a_changed_checkpoint_are_told(tmp_path):
    results = fit(tmp_path, keep=None, scheduler={"synch": False})
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
    fit(tmp_path, scheduler={"synch": False, "custom_explore_fn": lambda config: {"lr": config["lr"] / 2}})
    found = tune.verify(tmp_path / "run")
    assert found.ok
    assert found.configs_folded > 0
    assert "configs are the user's own code's" in str(found)


def test_a_folder_without_an_experiment_is_refused(tmp_path):
    with pytest.raises(tune.ExperimentError, match="holds experiment.db, but"):
        tune.verify(tmp_path)
