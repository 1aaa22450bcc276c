"""The population of ConvNets in poptune's terms, for both forms of the training code."""

from convnet import INTERVAL, ITERATIONS, TRIALS
from measured import parser, run_config, tell

import poptune as tune
from poptune.schedulers import PopulationBasedTraining


def fit_and_tell(trainable):
    options = parser(executors=True)
    options.add_argument("--iterations", type=int, default=ITERATIONS)
    options = options.parse_args()
    tuner = tune.Tuner(
        trainable,
        param_space={"lr": tune.uniform(0.001, 1), "momentum": tune.uniform(0.001, 1)},
        tune_config=tune.TuneConfig(
            metric="mean_accuracy",
            mode="max",
            num_samples=TRIALS,
            seed=0,
            scheduler=PopulationBasedTraining(
                time_attr="training_iteration",
                perturbation_interval=INTERVAL,
                hyperparam_mutations={"lr": tune.uniform(0.0001, 1), "momentum": [0.8, 0.9, 0.99]},
            ),
        ),
        run_config=run_config(
            options.storage, executor=options.executor, stop={"training_iteration": options.iterations}
        ),
    )
    results = tuner.fit()
    assert not results.errors, results.errors
    assert all(result.metrics["training_iteration"] == options.iterations for result in results)
    lineage = results.lineage
    trained = sum(len(part) for result in results for part in lineage.results(result.trial_id))
    tell(exploits=len(lineage.exploits), trained=trained)
