"""A small population whose results follow from its seed alone."""

import poptune as tune
from poptune.schedulers import PopulationBasedTraining


def climb(config):
    height, step = 0.0, 0
    if checkpoint := tune.get_checkpoint():
        state = checkpoint.to_dict()
        height, step = state["height"], state["step"]
    while True:
        height, step = height + config["lr"], step + 1
        state = tune.Checkpoint.from_dict({"height": height, "step": step})
        tune.report({"height": height}, checkpoint=state)


def fit(path, *, stop=8, keep=1, trials=4, executor="inline", trainable=climb, scheduler=None, **run):
    """Train it; ``stop`` is a number of iterations, or anything else that ``RunConfig`` takes."""
    return tune.Tuner(
        trainable,
        param_space={"lr": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(
            metric="height",
            mode="max",
            num_samples=trials,
            seed=0,
            scheduler=PopulationBasedTraining(
                time_attr="training_iteration",
                perturbation_interval=2,
                hyperparam_mutations={"lr": tune.uniform(0, 1)},
                **{"synch": True, **(scheduler or {})},
            ),
        ),
        run_config=tune.RunConfig(
            storage_path=path,
            name="run",
            executor=executor,
            verbose=0,
            stop={"training_iteration": stop} if isinstance(stop, int) else stop,
            checkpoint_config=tune.CheckpointConfig(num_to_keep=keep),
            **{"loggers": (), **run},
        ),
    ).fit()
