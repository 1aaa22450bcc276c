"""The user's entry point: what a run is defined by, and the tuner that checks it, wires it and runs it."""

from poptune.tuner.configs import CheckpointConfig, FailureConfig, RunConfig, TuneConfig
from poptune.tuner.tuner import Tuner
from poptune.tuner.verifying import verify

__all__ = ["CheckpointConfig", "FailureConfig", "RunConfig", "TuneConfig", "Tuner", "verify"]
