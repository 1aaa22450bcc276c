"""``ray.train``: the names that Tune scripts of 2023 and 2024 took from there."""

from poptune.compat.ray._checkpoint import Checkpoint
from poptune.compat.ray._context import TrainContext, get_context
from poptune.compat.ray._missing import refuse_names
from poptune.compat.ray.air.config import CheckpointConfig, FailureConfig, RunConfig
from poptune.compat.ray.air.session import get_checkpoint, report
from poptune.compat.ray.tune.result_grid import Result
from poptune.compat.ray.tune.syncer import SyncConfig

__all__ = [
    "Checkpoint",
    "CheckpointConfig",
    "FailureConfig",
    "Result",
    "RunConfig",
    "SyncConfig",
    "TrainContext",
    "get_checkpoint",
    "get_context",
    "report",
]

_NO_TRAINERS = "a trial is one process that trains by itself: pass its function to tune.Tuner"
__getattr__ = refuse_names(
    __name__, dict.fromkeys(("ScalingConfig", "DataConfig", "get_dataset_shard"), _NO_TRAINERS)
)
