"""The toy job on Ray Tune. Starting Ray itself is not counted."""

import pickle
import tempfile
import time
from pathlib import Path

import numpy as np
import ray
from measured import SLOTS, parser, tell
from ray import tune
from ray.tune.schedulers import PopulationBasedTraining

INTERVAL = 5


def train(config):
    step, state = 0, np.ones(config["state_bytes"], np.uint8)
    if checkpoint := tune.get_checkpoint():
        with checkpoint.as_directory() as folder:
            saved = pickle.loads((Path(folder) / "state.pkl").read_bytes())
        step, state = saved["step"], saved["state"]
    while True:
        step += 1
        metrics = {"score": config["lr"] * step}
        if step % INTERVAL:
            tune.report(metrics)
            continue
        with tempfile.TemporaryDirectory() as folder:
            with (Path(folder) / "state.pkl").open("wb") as file:
                pickle.dump({"step": step, "state": state}, file, protocol=5)
            tune.report(metrics, checkpoint=tune.Checkpoint.from_directory(folder))


def main():
    options = parser()
    options.add_argument("--trials", type=int, default=4)
    options.add_argument("--iterations", type=int, default=50)
    options.add_argument("--state-bytes", type=int, default=8)
    options = options.parse_args()
    began_s = time.perf_counter()
    ray.init(num_cpus=SLOTS, include_dashboard=False, log_to_driver=False)
    init_s = time.perf_counter() - began_s
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=INTERVAL,
        hyperparam_mutations={"lr": tune.uniform(0.0, 1.0)},
    )
    tuner = tune.Tuner(
        train,
        param_space={"lr": tune.uniform(0.0, 1.0), "state_bytes": options.state_bytes},
        tune_config=tune.TuneConfig(
            metric="score", mode="max", num_samples=options.trials, scheduler=scheduler
        ),
        run_config=tune.RunConfig(
            storage_path=str(options.storage), stop={"training_iteration": options.iterations}, verbose=0
        ),
    )
    began_s = time.perf_counter()
    results = tuner.fit()
    fit_s = time.perf_counter() - began_s
    assert not results.num_errors, results.errors
    assert all(result.metrics["training_iteration"] == options.iterations for result in results)
    ray.shutdown()
    tell(fit_s=fit_s, init_s=init_s)


if __name__ == "__main__":
    main()
