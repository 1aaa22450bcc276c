"""The tutorial in the steps form on a small slice of real MNIST, as a reader runs it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from poptune import ResultGrid

EXAMPLE = Path(__file__).parents[2] / "examples" / "mnist_convnet_steps.py"


@pytest.mark.slow
def test_the_steps_form_trains_a_population_and_its_best_weights_can_be_used(tmp_path):
    run = subprocess.run(
        [sys.executable, EXAMPLE, "--seed", "1", "--iterations", "15", "--storage", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    [accuracy] = re.findall(r"all test images: ([\d.]+)", run.stdout)
    assert float(accuracy) > 0.6
    [experiment] = tmp_path.iterdir()
    results = ResultGrid.from_path(experiment)
    assert results.num_terminated == 4
    assert (experiment / "pbt_global.txt").read_text().count("\n") >= 1
    for result in results:
        rows = result.lineage.metrics_dataframe
        assert list(rows["training_iteration"]) == list(range(1, 16))
        for (change, config), (end, _) in zip(
            result.schedule.changes, [*result.schedule.changes[1:], (15, None)], strict=True
        ):
            taken = rows.loc[
                (rows["training_iteration"] > change) & (rows["training_iteration"] <= end), "lr"
            ]
            assert set(taken) == {config["lr"]}, "the config changed under the loop, and only then"
