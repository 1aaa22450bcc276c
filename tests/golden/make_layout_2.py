"""What made the folder layout_2: settings are a record in the journal; begun, ended, and trained further.

Run in this folder, with tests/helpers on the path of imports.
"""

from golden_training import Counts, EnoughOf, Net, halved, relu, train

import poptune as tune
from poptune.schedulers import PopulationBasedTraining, Truncation

if __name__ == "__main__":
    lr = tune.loguniform(1e-3, 1)
    tune.Tuner(
        tune.with_parameters(train, offset=1.0),
        param_space={
            "optimizer": {"lr": lr},
            "decay": tune.quniform(0, 1, 0.25),
            "net": tune.choice([Net(8), Net(16)]),
            "activation": relu,
            "depth": tune.ordinal([1, 2, 3]),
            "blocks": [{"width": tune.randint(8, 64)}],
        },
        tune_config=tune.TuneConfig(
            metric="score",
            mode="max",
            num_samples=4,
            seed=3,
            points_to_evaluate=[{"decay": 0.5}],
            scheduler=PopulationBasedTraining(
                time_attr="training_iteration",
                perturbation_interval=2,
                synch=True,
                hyperparam_mutations={"optimizer": {"lr": lr}, "depth": [1, 2, 3]},
                custom_explore_fn=halved,
                exploit=Truncation(quantile_fraction=0.5),
            ),
        ),
        run_config=tune.RunConfig(
            name="layout_2",
            storage_path=".",
            verbose=0,
            stop=tune.CombinedStopper(tune.MaximumIterationStopper(6), EnoughOf(100)),
            loggers=["csv", "json"],
            executor=tune.InlineExecutor(slots=2),
            checkpoint_config=tune.CheckpointConfig(num_to_keep=1),
            failure_config=tune.FailureConfig(max_failures=2),
            callbacks=[Counts()],
        ),
    ).fit()
    tune.Tuner.restore("layout_2", stop={"training_iteration": 8}).fit()
