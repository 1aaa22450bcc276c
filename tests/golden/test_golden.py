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
