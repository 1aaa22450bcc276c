"""The whole tutorial on a small slice of real MNIST, as a reader runs it."""

import subprocess
import sys
from pathlib import Path

import pytest

from poptune import ResultGrid

EXAMPLE = Path(__file__).parents[2] / "examples" / "mnist_convnet_pbt.py"


@pytest.mark.slow
def test_the_tutorial_trains_a_population_on_a_slice_of_mnist(tmp_path):
    run = subprocess.run(
        [sys.executable, EXAMPLE, "--seed", "1", "--iterations", "10", "--storage", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "Best result:" in run.stdout
    [experiment] = tmp_path.iterdir()
    for picture in ("learning_curve.png", "schedules.png"):
        assert (experiment / picture).read_bytes().startswith(b"\x89PNG")
    results = ResultGrid.from_path(experiment)
    assert results.num_terminated == 4
    assert results.get_best_result(scope="all").metrics_dataframe["mean_accuracy"].max() > 0.6
    assert all(result.metrics["training_iteration"] == 10 for result in results)
