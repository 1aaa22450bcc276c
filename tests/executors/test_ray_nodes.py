"""A Ray cluster of several nodes, in a program of its own."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import poptune as tune

SOURCE = str(Path(tune.__file__).parents[1])

PROGRAM = """
import sys
import ray
import poptune as tune
from poptune.schedulers import PopulationBasedTraining
from ray.cluster_utils import Cluster

def climb(config):
    height, where = 0.0, "nowhere"
    if checkpoint := tune.get_checkpoint():
        height, where = checkpoint.to_dict()["height"], str(checkpoint.path)
    while True:
        height += config["lr"]
        state = tune.Checkpoint.from_dict({"height": height})
        tune.report({"height": height, "where": where, "node": ray.get_runtime_context().get_node_id()},
                    checkpoint=state)

node = {"num_cpus": 1, "object_store_memory": 100_000_000, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args=node)
ray.init(address=cluster.address, logging_level="ERROR", log_to_driver=False)
cluster.add_node(**node)
results = tune.Tuner(
    climb,
    param_space={"lr": tune.grid_search([1.0, 2.0])},
    tune_config=tune.TuneConfig(
        metric="height", mode="max", seed=0,
        scheduler=PopulationBasedTraining(
            time_attr="training_iteration", perturbation_interval=3, quantile_fraction=0.5, synch=True,
            hyperparam_mutations={"lr": [1.0, 2.0]},
        ),
    ),
    run_config=tune.RunConfig(name="run", storage_path=sys.argv[1], executor="ray", verbose=0,
                              stop={"training_iteration": 6}),
).fit()
for result in results:
    rows = result.metrics_dataframe
    print(*sorted(set(rows["node"])), *sorted(set(rows["where"])), list(rows["height"]), sep="|")
ray.shutdown()
cluster.shutdown()
"""


@pytest.mark.cluster
def test_a_copied_state_goes_from_node_to_node_through_the_object_store(tmp_path):
    run = subprocess.run(
        [sys.executable, "-W", "error::poptune.PoptuneWarning", "-c", textwrap.dedent(PROGRAM), tmp_path],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": SOURCE},
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    loser, winner = [line.split("|") for line in run.stdout.splitlines() if "|" in line]
    assert loser[0] != winner[0], "each trains on its node"
    assert winner[1:] == ["nowhere", "[2.0, 4.0, 6.0, 8.0, 10.0, 12.0]"]
    came_from, _, heights = loser[1:]
    assert "poptune-objects" in came_from, "it is laid out in memory, not read from storage"
    assert heights.startswith("[1.0, 2.0, 3.0, ")
