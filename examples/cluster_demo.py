"""Population Based Training of the MNIST ConvNet on a Ray cluster that loses a node on the way.

Starts a cluster of three nodes on this machine, trains eight networks on it, and kills one node amid the
training. The trials that it held go on elsewhere, from their last checkpoints.

    make cluster-demo
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a demonstration is no use of Ray that counts

import ray
from ray.cluster_utils import Cluster

import poptune as tune
from mnist_convnet_pbt import PERTURBATION_INTERVAL, train_convnet
from poptune.datasets.mnist import load_mnist
from poptune.schedulers import PopulationBasedTraining

NODE = {"num_cpus": 1, "object_store_memory": 100_000_000, "include_dashboard": False}
NOTICES_SOON = {
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 3,
}
"""So that a dead node is noticed in two seconds, and not in twenty."""


class Incident(tune.Callback):
    """Kills a node of the cluster when so many results have come, and has another one join later."""

    def __init__(self, cluster, after_results):
        self.cluster = cluster
        self.after_results = after_results
        self.results = 0

    def __getstate__(self):
        return {**vars(self), "cluster": None, "after_results": -1}  # a run that is restored has no incident

    def on_trial_result(self, iteration, trials, trial, result, **info):
        self.results += 1
        if self.results == self.after_results:
            node = next(iter(self.cluster.worker_nodes))
            print(f"*** Node {node.node_id[:8]} is taken away. Its trials go on elsewhere. ***")
            self.cluster.remove_node(node)
        if self.results == 2 * self.after_results:
            node = self.cluster.add_node(**NODE)
            print(f"*** Node {node.node_id[:8]} has joined, and is used from now on. ***")


def start_cluster():
    """Start a cluster of three nodes on this machine, connected to this program."""
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "_system_config": NOTICES_SOON})
    ray.init(address=cluster.address, logging_level="ERROR", log_to_driver=False)
    for _ in range(2):
        cluster.add_node(**NODE)
    return cluster


def make_tuner(options, cluster):
    return tune.Tuner(
        train_convnet,
        param_space={
            "lr": tune.uniform(0.001, 1),
            "momentum": tune.uniform(0.001, 1),
            "checkpoint_interval": PERTURBATION_INTERVAL,
        },
        tune_config=tune.TuneConfig(
            metric="mean_accuracy",
            mode="max",
            num_samples=options.trials,
            seed=options.seed,
            scheduler=PopulationBasedTraining(
                time_attr="training_iteration",
                perturbation_interval=PERTURBATION_INTERVAL,
                hyperparam_mutations={"lr": tune.uniform(0.0001, 1), "momentum": [0.8, 0.9, 0.99]},
            ),
        ),
        run_config=tune.RunConfig(
            storage_path=options.storage,
            executor="ray",
            stop={"training_iteration": options.iterations},
            failure_config=tune.FailureConfig(max_failures=-1),  # a lost node is no fault of a trial's
            callbacks=[Incident(cluster, after_results=options.trials * options.iterations // 4)],
        ),
    )


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=8, help="size of the population")
    parser.add_argument("--iterations", type=int, default=60, help="a trial ends after so many")
    parser.add_argument("--seed", type=int, default=None, help="draws the same first configs again")
    parser.add_argument("--storage", default="~/poptune_results", help="where results are kept")
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parse(arguments)
    load_mnist()
    cluster = start_cluster()
    try:
        results = make_tuner(options, cluster).fit()
    finally:
        ray.shutdown()
        cluster.shutdown()
    best = results.get_best_result()
    picture = Path(results.experiment_path) / "learning_curve.png"
    tune.plots.curves(results).savefig(picture)
    print("Best result:", best.path)
    print("Its config: ", best.config)
    print("Accuracy:   ", best.metrics["mean_accuracy"])
    print("Picture:    ", picture)
    return results


if __name__ == "__main__":
    main()
