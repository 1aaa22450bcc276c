"""The demonstration of a cluster, as a reader runs it, but shorter."""

import subprocess
import sys
from pathlib import Path

import pytest

from poptune import ResultGrid

EXAMPLE = Path(__file__).parents[2] / "examples" / "cluster_demo.py"


@pytest.mark.cluster
def test_the_population_on_a_cluster_survives_the_loss_of_a_node(tmp_path):
    arguments = ["--seed", "1", "--trials", "4", "--iterations", "10", "--storage", tmp_path]
    run = subprocess.run(
        [sys.executable, EXAMPLE, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "is taken away" in run.stdout
    assert "has joined" in run.stdout
    assert "Best result:" in run.stdout
    [experiment] = tmp_path.iterdir()
    results = ResultGrid.from_path(experiment)
    assert results.num_terminated == 4
    assert all(result.metrics["training_iteration"] == 10 for result in results)
