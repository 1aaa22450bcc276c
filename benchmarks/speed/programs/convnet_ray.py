"""The tutorial's ConvNet on Ray Tune, in the function form."""

import tempfile
from pathlib import Path

import ray
import torch
from convnet import INTERVAL, ITERATIONS, TRIALS, make, test, train
from measured import SLOTS, parser, tell
from ray import tune
from ray.tune.schedulers import PopulationBasedTraining

from poptune.datasets.mnist import load_mnist


def train_convnet(config):
    mnist = load_mnist()
    model, optimizer = make(config["seed"], config["lr"], config["momentum"])
    step = 1
    if checkpoint := tune.get_checkpoint():
        with checkpoint.as_directory() as folder:
            state = torch.load(Path(folder) / "state.pt")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        for group in optimizer.param_groups:
            group["lr"], group["momentum"] = config["lr"], config["momentum"]
        step = state["step"] + 1
    while True:
        train(model, optimizer, mnist)
        metrics = {"mean_accuracy": test(model, mnist), "lr": config["lr"]}
        if step % INTERVAL:
            tune.report(metrics)
        else:
            state = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
            with tempfile.TemporaryDirectory() as folder:
                torch.save(state, Path(folder) / "state.pt")
                tune.report(metrics, checkpoint=tune.Checkpoint.from_directory(folder))
        step += 1


def main():
    options = parser()
    options.add_argument("--iterations", type=int, default=ITERATIONS)
    options = options.parse_args()
    ray.init(num_cpus=SLOTS, include_dashboard=False, log_to_driver=False)
    tuner = tune.Tuner(
        train_convnet,
        param_space={
            "lr": tune.uniform(0.001, 1),
            "momentum": tune.uniform(0.001, 1),
            "seed": tune.randint(0, 2**31),
        },
        tune_config=tune.TuneConfig(
            metric="mean_accuracy",
            mode="max",
            num_samples=TRIALS,
            scheduler=PopulationBasedTraining(
                time_attr="training_iteration",
                perturbation_interval=INTERVAL,
                hyperparam_mutations={"lr": tune.uniform(0.0001, 1), "momentum": [0.8, 0.9, 0.99]},
            ),
        ),
        run_config=tune.RunConfig(
            storage_path=str(options.storage), stop={"training_iteration": options.iterations}, verbose=0
        ),
    )
    results = tuner.fit()
    assert not results.num_errors, results.errors
    assert all(result.metrics["training_iteration"] == options.iterations for result in results)
    ray.shutdown()
    tell(trained=sum(len(result.metrics_dataframe) for result in results))


if __name__ == "__main__":
    main()
