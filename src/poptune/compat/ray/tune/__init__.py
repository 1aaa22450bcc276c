"""``ray.tune``, of today and of 2022."""

from poptune import with_parameters
from poptune.compat.ray._checkpoint import Checkpoint
from poptune.compat.ray._context import TuneContext, get_context
from poptune.compat.ray._missing import refuse_names
from poptune.compat.ray.air.config import CheckpointConfig, FailureConfig, RunConfig
from poptune.compat.ray.air.session import (
    get_checkpoint,
    get_trial_dir,
    get_trial_id,
    get_trial_name,
    get_trial_resources,
    report,
)
from poptune.compat.ray.tune.analysis import ExperimentAnalysis
from poptune.compat.ray.tune.callback import Callback
from poptune.compat.ray.tune.error import TuneError
from poptune.compat.ray.tune.execution.placement_groups import PlacementGroupFactory
from poptune.compat.ray.tune.progress_reporter import CLIReporter, JupyterNotebookReporter
from poptune.compat.ray.tune.registry import register_trainable
from poptune.compat.ray.tune.result_grid import Result, ResultGrid
from poptune.compat.ray.tune.schedulers import create_scheduler
from poptune.compat.ray.tune.search.sample import (
    choice,
    grid_search,
    lograndint,
    loguniform,
    qlograndint,
    qloguniform,
    qrandint,
    qrandn,
    quniform,
    randint,
    randn,
    sample_from,
    uniform,
)
from poptune.compat.ray.tune.stopper import Stopper
from poptune.compat.ray.tune.syncer import SyncConfig
from poptune.compat.ray.tune.trainable import Trainable, with_resources
from poptune.compat.ray.tune.tune import run
from poptune.compat.ray.tune.tune_config import TuneConfig
from poptune.compat.ray.tune.tuner import Tuner

__all__ = [
    "CLIReporter",
    "Callback",
    "Checkpoint",
    "CheckpointConfig",
    "ExperimentAnalysis",
    "FailureConfig",
    "JupyterNotebookReporter",
    "PlacementGroupFactory",
    "Result",
    "ResultGrid",
    "RunConfig",
    "Stopper",
    "SyncConfig",
    "Trainable",
    "TuneConfig",
    "TuneContext",
    "TuneError",
    "Tuner",
    "choice",
    "create_scheduler",
    "get_checkpoint",
    "get_context",
    "get_trial_dir",
    "get_trial_id",
    "get_trial_name",
    "get_trial_resources",
    "grid_search",
    "lograndint",
    "loguniform",
    "qlograndint",
    "qloguniform",
    "qrandint",
    "qrandn",
    "quniform",
    "randint",
    "randn",
    "register_trainable",
    "report",
    "run",
    "sample_from",
    "uniform",
    "with_parameters",
    "with_resources",
]

__getattr__ = refuse_names(
    __name__,
    {
        "checkpoint_dir": "pass report(metrics, checkpoint=Checkpoint.from_directory(folder))",
        "save_checkpoint": "pass report(metrics, checkpoint=Checkpoint.from_dict({...}))",
        "load_checkpoint": "call get_checkpoint()",
        "is_session_enabled": "training code runs inside a trial only",
        "durable": "the storage_path may be the URL of a remote folder",
        "DurableTrainable": "derive it from tune.Trainable; the storage_path may be a URL",
        "Analysis": "use ExperimentAnalysis",
        "function": "call sample_from",
    },
)
