"""What the scripted runs share: how they are started, and how an outcome is told in a word."""

import re
import tempfile
from pathlib import Path

from ray import tune

RESULTS = Path(tempfile.mkdtemp(prefix="parity-"))
ITERATIONS = 6


def fit(trainable, name, *, space, scheduler=None, stop=None, callbacks=None, trials=1, **more):
    return tune.Tuner(
        trainable,
        param_space=space,
        tune_config=tune.TuneConfig(scheduler=scheduler, num_samples=trials, reuse_actors=True, **more),
        run_config=tune.RunConfig(
            name=name,
            storage_path=str(RESULTS),
            stop=stop or {"training_iteration": ITERATIONS},
            callbacks=callbacks,
            verbose=0,
        ),
    ).fit()


def ordered(results):
    return sorted(results, key=lambda result: result.metrics["trial_id"])


def says(make):
    try:
        make()
    except Exception as error:  # noqa: BLE001 - which one is what is observed
        kinds = (TypeError, ValueError)
        return next((kind.__name__ for kind in kinds if isinstance(error, kind)), "another error")
    return "no error"


def told(make):
    """Return what a call gives, or the name of the error that it raises."""
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - which one is what is observed
        return type(error).__name__


def without_id(name):
    """Return a name with ``ID`` in the place of what is drawn for each run."""
    return re.sub(r"[0-9a-f]{5}_(\d{5})", r"ID_\1", str(name))
