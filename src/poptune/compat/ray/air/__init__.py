"""``ray.air``: the configs, the checkpoint and the session of the scripts of 2022."""

from poptune.compat.ray._checkpoint import Checkpoint
from poptune.compat.ray._missing import refuse_names
from poptune.compat.ray.air import session
from poptune.compat.ray.air.config import CheckpointConfig, FailureConfig, RunConfig
from poptune.compat.ray.tune.result_grid import Result

__all__ = ["Checkpoint", "CheckpointConfig", "FailureConfig", "Result", "RunConfig", "session"]

__getattr__ = refuse_names(
    __name__,
    {
        "DatasetConfig": "give data to a trainable with tune.with_parameters",
    },
)
