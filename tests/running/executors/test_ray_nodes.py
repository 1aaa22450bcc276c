"""A Ray cluster of several nodes, in a program of its own."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import fsspec.config
import pytest
from s3 import running

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
cluster.add_node(**node, **({"env_vars": {"XDG_CACHE_HOME": sys.argv[2]}} if sys.argv[2:] else {}))
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


def train_on_two_nodes(*arguments, **environment):
    """Return what is printed of each trial."""
    run = subprocess.run(
        [sys.executable, "-W", "error::poptune.PoptuneWarning", "-c", textwrap.dedent(PROGRAM), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": SOURCE, **environment},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return [line.split("|") for line in run.stdout.splitlines() if "|" in line]


@pytest.mark.cluster
def test_a_copied_state_goes_from_node_to_node_through_the_object_store(tmp_path):
    loser, winner = train_on_two_nodes(tmp_path)
    assert loser[0] != winner[0], "each trains on its node"
    assert winner[1:] == ["nowhere", "[2.0, 4.0, 6.0, 8.0, 10.0, 12.0]"]
    came_from, _, heights = loser[1:]
    assert "poptune-objects" in came_from, "it is laid out in memory, not read from storage"
    assert heights.startswith("[1.0, 2.0, 3.0, ")


@pytest.mark.cluster
def test_nodes_without_a_disk_in_common_keep_their_states_in_a_bucket(tmp_path, monkeypatch):
    with running() as s3:
        s3.make_bucket("bucket")
        here, there = tmp_path / "here", tmp_path / "there"
        for name, value in {**s3.environment, "XDG_CACHE_HOME": str(here)}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setitem(fsspec.config.conf, "s3", {"endpoint_url": s3.endpoint})  # fsspec may be imported
        loser, winner = train_on_two_nodes("s3://bucket/experiments", there)
        assert loser[0] != winner[0], "each trains on its node"
        own, away = (
            {path.parent.name for path in cache.rglob("checkpoint_0*") if path.is_dir()}
            for cache in (here, there)
        )
        assert len(own) == len(away) == 1
        assert own != away
        found = tune.ResultGrid.from_path("s3://bucket/experiments/run")
        heights = [list(map(float, row[-1].strip("[]").split(", "))) for row in (loser, winner)]
        assert [result.checkpoint.to_dict()["height"] for result in found] == [row[-1] for row in heights]
        assert tune.verify("s3://bucket/experiments/run").ok
