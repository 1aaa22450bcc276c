"""``ray.train``: the names that Tune scripts of 2023 and 2024 took from there."""

from poptune import get_context
from poptune.compat.ray._arguments import refuse_modules, refuse_names
from poptune.compat.ray._checkpoint import Checkpoint
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
    "get_checkpoint",
    "get_context",
    "report",
]

_NO_TRAINERS = "a trial is one process that trains by itself: pass its function to tune.Tuner"
__getattr__ = refuse_names(
    __name__, dict.fromkeys(("ScalingConfig", "DataConfig", "get_dataset_shard"), _NO_TRAINERS)
)
refuse_modules(
    __name__,
    {
        "torch": ("TorchTrainer", "prepare_model", "prepare_data_loader"),
        "lightning": ("RayDDPStrategy", "prepare_trainer"),
        "xgboost": ("XGBoostTrainer",),
    },
    _NO_TRAINERS,
)
