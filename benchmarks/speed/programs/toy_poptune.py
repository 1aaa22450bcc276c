"""The toy job: four trials of empty iterations, with a checkpoint and an exchange every five."""

import time

import numpy as np
from measured import parser, run_config, tell

import poptune as tune
from poptune.schedulers import PopulationBasedTraining

INTERVAL = 5


def train(config):
    step, state = 0, np.ones(config["state_bytes"], np.uint8)
    if checkpoint := tune.get_checkpoint():
        saved = checkpoint.to_dict()
        step, state = saved["step"], saved["state"]
    while True:
        step += 1
        checkpoint = (
            tune.Checkpoint.from_dict({"step": step, "state": state}) if step % INTERVAL == 0 else None
        )
        tune.report({"score": config["lr"] * step}, checkpoint=checkpoint)


def main():
    options = parser()
    options.add_argument("--trials", type=int, default=4)
    options.add_argument("--iterations", type=int, default=50)
    options.add_argument("--state-bytes", type=int, default=8)
    options = options.parse_args()
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=INTERVAL,
        hyperparam_mutations={"lr": tune.uniform(0.0, 1.0)},
    )
    tuner = tune.Tuner(
        train,
        param_space={"lr": tune.uniform(0.0, 1.0), "state_bytes": options.state_bytes},
        tune_config=tune.TuneConfig(
            metric="score", mode="max", num_samples=options.trials, seed=0, scheduler=scheduler
        ),
        run_config=run_config(options.storage, stop={"training_iteration": options.iterations}),
    )
    began_s = time.perf_counter()
    results = tuner.fit()
    fit_s = time.perf_counter() - began_s
    assert not results.errors, results.errors
    assert all(result.metrics["training_iteration"] == options.iterations for result in results)
    tell(fit_s=fit_s, exploits=len(results.lineage.exploits))


if __name__ == "__main__":
    main()
