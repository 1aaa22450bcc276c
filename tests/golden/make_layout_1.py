"""What made the folder layout_1, with the poptune of commit 5884f13: checkpoints lie with their trials."""

import poptune as tune
from poptune.schedulers import PopulationBasedTraining


def relu(x):
    return max(x, 0)


def train(config):
    step = tune.get_checkpoint().to_dict()["step"] if tune.get_checkpoint() else 0
    while True:
        step += 1
        tune.report(
            {"score": config["lr"] * step, "nested": {"odd": step % 2}},
            checkpoint=tune.Checkpoint.from_dict({"step": step}),
        )


if __name__ == "__main__":
    lr = tune.uniform(0, 1)
    tune.Tuner(
        train,
        param_space={"lr": lr, "net": {"width": tune.choice([8, 16])}, "activation": relu},
        tune_config=tune.TuneConfig(
            metric="score",
            mode="max",
            num_samples=4,
            seed=3,
            scheduler=PopulationBasedTraining(
                time_attr="training_iteration",
                perturbation_interval=2,
                synch=True,
                hyperparam_mutations={"lr": lr},
            ),
        ),
        run_config=tune.RunConfig(
            name="layout_1",
            storage_path=".",
            verbose=0,
            stop={"training_iteration": 6},
            loggers=["csv", "json"],
            executor="inline",
            checkpoint_config=tune.CheckpointConfig(num_to_keep=2),
        ),
    ).fit()
