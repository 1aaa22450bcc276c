"""A small population on MNIST, and the replay of its best schedule, as a reader runs it."""

import subprocess
import sys
from pathlib import Path

import pytest

from poptune import ResultGrid

EXAMPLE = Path(__file__).parents[2] / "examples" / "replay.py"


@pytest.mark.slow
def test_the_schedule_of_a_small_population_is_replayed_by_two_seeds(tmp_path):
    population = ["--trials", "2", "--iterations", "10", "--seed", "1", "--storage", tmp_path]
    run = subprocess.run(
        [sys.executable, EXAMPLE, "--replays", "2", *population],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "of the checkpoints at iteration 10:" in run.stdout
    assert "gap" in run.stdout
    assert "gives the same schedule: False" not in run.stdout

    [experiment] = tmp_path.glob("train_convnet_*")
    assert (experiment / "replay.png").read_bytes().startswith(b"\x89PNG")
    schedule = ResultGrid.from_path(experiment).get_best_result().schedule
    replays = [ResultGrid.from_path(path)[0] for path in sorted(tmp_path.glob("replay_*"))]
    assert [result.schedule for result in replays] == [schedule, schedule]
    accuracies = [result.metrics_dataframe["mean_accuracy"].tolist() for result in replays]
    assert all(len(curve) == 10 for curve in accuracies)
    assert accuracies[0] != accuracies[1]
