"""Experiments of older versions, as they were written, are read for ever."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import poptune as tune
from poptune.cli import main

HERE = Path(__file__).parent


@pytest.fixture
def layout_1(tmp_path):
    """Where checkpoints lie in the folders of their trials."""
    return Path(shutil.copytree(HERE / "layout_1", tmp_path / "layout_1"))


def test_results_checkpoints_and_lineage_of_the_first_layout_are_read(layout_1):
    results = tune.ResultGrid.from_path(layout_1)
    assert [result.metrics["training_iteration"] for result in results] == [6] * 4
    assert [round(result.metrics["score"], 3) for result in results] == [6, 5.367, 3.118, 2.776]
    assert [result.checkpoint.to_dict() for result in results] == [{"step": 6}] * 4
    assert all(result.checkpoint.path.parent == Path(result.path) for result in results)
    assert results.lineage.exploits
    best = results.get_best_result()
    assert best.schedule(6)["lr"] == best.config["lr"]
    assert len(best.lineage.metrics_dataframe) == 6


def test_it_is_shown_on_the_command_line(layout_1):
    shown = CliRunner().invoke(main, ["show", str(layout_1)])
    assert shown.exit_code == 0, shown.output
    assert "TERMINATED" in shown.output


@pytest.mark.parametrize("ask", [tune.Tuner.restore, tune.verify], ids=["restore", "verify"])
def test_that_the_first_layout_cannot_be_continued_is_said_with_what_can_be_done(layout_1, ask):
    with pytest.raises(
        tune.ExperimentError, match="with an earlier poptune.*ResultGrid.from_path.*begin a new"
    ):
        ask(layout_1)


def test_what_is_advised_for_the_first_layout_works(layout_1, tmp_path):
    best = tune.ResultGrid.from_path(layout_1).get_best_result()
    schedule = best.schedule
    again = tune.Tuner(
        replayed,
        param_space={"activation": abs},
        tune_config=tune.TuneConfig(scheduler=tune.PopulationBasedTrainingReplay(schedule)),
        run_config=tune.RunConfig(
            storage_path=tmp_path, executor="inline", verbose=0, stop={"training_iteration": 6}
        ),
    ).fit()
    assert again[0].config["lr"] == best.config["lr"]
    assert best.checkpoint.to_dict() == {"step": 6}


def replayed(config):
    while True:
        tune.report({"score": config["lr"]}, checkpoint=tune.Checkpoint.from_dict({}))


@pytest.fixture
def layout_2(tmp_path):
    """Where settings are a record in the journal."""
    return Path(shutil.copytree(HERE / "layout_2", tmp_path / "layout_2"))


def test_results_of_the_second_layout_are_read(layout_2):
    results = tune.ResultGrid.from_path(layout_2)
    assert [result.metrics["training_iteration"] for result in results] == [8] * 4
    assert [round(result.metrics["score"], 3) for result in results] == [2.418, 2.418, 1.756, 1.788]
    assert [result.checkpoint.to_dict() for result in results] == [{"step": 8}] * 4
    assert results.lineage.exploits


def test_the_second_layout_is_verified(layout_2):
    found = tune.verify(layout_2)
    assert found.ok, str(found)
    assert found.decisions > 8


def test_the_second_layout_is_trained_further(layout_2):
    results = tune.Tuner.restore(layout_2, stop={"training_iteration": 12}).fit()
    assert [result.metrics["training_iteration"] for result in results] == [12] * 4
    found = tune.verify(layout_2)
    assert found.ok, str(found)


def test_the_second_layout_goes_on_from_the_command_line(layout_2):
    resumed = CliRunner().invoke(main, ["resume", str(layout_2), "--stop", "training_iteration=10"])
    assert resumed.exit_code == 0, resumed.output
    assert [one.metrics["training_iteration"] for one in tune.ResultGrid.from_path(layout_2)] == [10] * 4
