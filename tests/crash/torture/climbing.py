"""Training whose every state tells how it came about.

A state's chain is the hash of the chain before it, the config and the step. So one step that is lost,
doubled, or taken with another config shows in all that follow.
"""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass

import numpy as np

import poptune as tune
from poptune.schedulers import PopulationBasedTraining

STEP_S = float(os.environ.get("POPTUNE_TORTURE_STEP_S", "0"))
"""How long a step takes, as one of a real training would."""
START = {"step": 0, "height": 0.0, "chain": ""}


def advance(state, config):
    """Return the state after one more step."""
    step = state["step"] + 1
    chain = hashlib.sha256(f"{state['chain']} {config['lr']!r} {step}".encode()).hexdigest()[:16]
    height = state["height"] + config["lr"] * (1 + int(chain[:2], 16) / 256)
    return {"step": step, "height": height, "chain": chain}


def saved(state):
    """Return what a checkpoint holds of a state: an array too, so that there is a file of them."""
    return {**state, "weights": np.array([state["step"], state["height"]])}


def climb(config):
    """The function form of it."""
    state = START
    if checkpoint := tune.get_checkpoint():
        found = checkpoint.to_dict()
        state = {key: found[key] for key in START}
    while True:
        time.sleep(STEP_S)
        state = advance(state, config)
        is_due = state["step"] % config["save_every"] == 0
        tune.report(state, checkpoint=tune.Checkpoint.from_dict(saved(state)) if is_due else None)


@dataclass(frozen=True, kw_only=True)
class Climb:
    """An experiment to be tortured."""

    synch: bool
    trials: int = 3
    iterations: int = 8
    interval: int = 2
    save_every: int = 2
    num_to_keep: int | None = 1
    slots: int = 1
    max_residents: int | None = None
    seed: int = 0
    max_failures: int = 0

    @property
    def label(self):
        """How it is called in reports."""
        way = "synchronous" if self.synch else "asynchronous"
        return f"{way}, {self.trials} trials x {self.iterations}, saved every {self.save_every}"

    def tuner(self, storage, executor=None, **run):
        """Return the tuner of it."""
        inline = tune.InlineExecutor(slots=self.slots, max_resident_trials=self.max_residents)
        return tune.Tuner(
            climb,
            param_space={"lr": tune.uniform(0, 1), "save_every": self.save_every},
            tune_config=tune.TuneConfig(
                metric="height",
                mode="max",
                num_samples=self.trials,
                seed=self.seed,
                scheduler=PopulationBasedTraining(
                    time_attr="training_iteration",
                    perturbation_interval=self.interval,
                    hyperparam_mutations={"lr": tune.uniform(0, 1)},
                    quantile_fraction=0.34,
                    synch=self.synch,
                ),
                trial_dirname_creator=folder_of,
            ),
            run_config=tune.RunConfig(
                name="run",
                storage_path=storage,
                executor=executor or inline,
                verbose=0,
                stop={"training_iteration": self.iterations},
                failure_config=tune.FailureConfig(max_failures=self.max_failures),
                checkpoint_config=tune.CheckpointConfig(num_to_keep=self.num_to_keep),
                **{"loggers": ("csv", "json"), **run},
            ),
        )


def folder_of(spec):
    """A trial's folder, the same in each run."""
    return f"trial_{spec.index:03d}"
