"""The user's entry point: what a run is defined by, and the tuner that checks it, wires it and runs it."""

from poptune._running.tuner.configs import CheckpointConfig, FailureConfig, RunConfig, TuneConfig
from poptune._running.tuner.tuner import Tuner
from poptune._running.tuner.verifying import verify

__all__ = ["CheckpointConfig", "FailureConfig", "RunConfig", "TuneConfig", "Tuner", "verify"]
