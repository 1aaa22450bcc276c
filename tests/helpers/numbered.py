"""Runs of trials that have nothing but a number."""

import poptune as tune


def fit_numbered(path, trainable, *, executor, space=None, run=None, **config):
    """Train two trials, or those of another space, on an executor."""
    return tune.Tuner(
        trainable,
        param_space={"number": tune.grid_search([0, 1])} if space is None else space,
        tune_config=tune.TuneConfig(**{"metric": "height", "mode": "max", "seed": 0, **config}),
        run_config=tune.RunConfig(
            **{
                "name": "run",
                "storage_path": path,
                "verbose": 0,
                "executor": executor,
                "failure_config": tune.FailureConfig(on_all_failed="return"),
                **(run or {}),
            }
        ),
    ).fit()
