"""``ray.air``: the configs, the checkpoint and the session of the scripts of 2022."""

from poptune.compat.ray._arguments import refuse_modules, refuse_names
from poptune.compat.ray._checkpoint import Checkpoint
from poptune.compat.ray.air import session
from poptune.compat.ray.air.config import CheckpointConfig, FailureConfig, RunConfig
from poptune.compat.ray.tune.result_grid import Result

__all__ = ["Checkpoint", "CheckpointConfig", "FailureConfig", "Result", "RunConfig", "session"]

__getattr__ = refuse_names(
    __name__,
    {
        "ScalingConfig": "a trial is one process; say what it needs with tune.with_resources",
        "DatasetConfig": "give data to a trainable with tune.with_parameters",
    },
)
refuse_modules(
    f"{__name__}.integrations",
    {
        "wandb": ("WandbLoggerCallback", "setup_wandb"),
        "mlflow": ("MLflowLoggerCallback", "setup_mlflow"),
        "comet": ("CometLoggerCallback",),
        "keras": ("ReportCheckpointCallback",),
    },
    "log from a tune.Callback, or from the trainable itself",
)
