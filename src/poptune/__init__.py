"""poptune: Population Based Training where the training is all that you pay for.

Layers, each of which may use those below it: ``tuner`` wires everything · ``results``, ``plots`` and
``progress`` only look · ``controller`` joins core, ``journal`` and ``executors`` · ``executors`` run the
``runtime`` in workers · ``schedulers`` decide for the ``core`` · ``core`` is pure and knows only
``search_space``.
"""

from poptune import plots, schedulers
from poptune._version import __version__
from poptune.callbacks import Callback
from poptune.checkpoints import Checkpoint
from poptune.core.schedule import Schedule
from poptune.errors import (
    CheckpointError,
    ConfigurationError,
    CorruptCheckpointError,
    ExecutorError,
    ExperimentError,
    InternalError,
    JournalError,
    PoptuneError,
    PoptuneWarning,
    TrainableError,
    UntrustedCheckpointError,
)
from poptune.executors import InlineExecutor, ProcessExecutor
from poptune.results import Result, ResultGrid
from poptune.runtime.current import TrialContext, get_checkpoint, get_context, report
from poptune.runtime.shared import ObjectRef, get, put
from poptune.runtime.trainable import Trainable, with_parameters, with_resources
from poptune.search_space import (
    choice,
    grid_search,
    lograndint,
    loguniform,
    ordinal,
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
from poptune.stoppers import (
    CombinedStopper,
    ExperimentPlateauStopper,
    FunctionStopper,
    MaximumIterationStopper,
    NoopStopper,
    Stopper,
    TimeoutStopper,
    TrialPlateauStopper,
)
from poptune.tuner import CheckpointConfig, FailureConfig, RunConfig, TuneConfig, Tuner

__all__ = [
    "Callback",
    "Checkpoint",
    "CheckpointConfig",
    "CheckpointError",
    "CombinedStopper",
    "ConfigurationError",
    "CorruptCheckpointError",
    "ExecutorError",
    "ExperimentError",
    "ExperimentPlateauStopper",
    "FailureConfig",
    "FunctionStopper",
    "InlineExecutor",
    "InternalError",
    "JournalError",
    "MaximumIterationStopper",
    "NoopStopper",
    "ObjectRef",
    "PoptuneError",
    "PoptuneWarning",
    "ProcessExecutor",
    "Result",
    "ResultGrid",
    "RunConfig",
    "Schedule",
    "Stopper",
    "TimeoutStopper",
    "Trainable",
    "TrainableError",
    "TrialContext",
    "TrialPlateauStopper",
    "TuneConfig",
    "Tuner",
    "UntrustedCheckpointError",
    "__version__",
    "choice",
    "get",
    "get_checkpoint",
    "get_context",
    "grid_search",
    "lograndint",
    "loguniform",
    "ordinal",
    "plots",
    "put",
    "qlograndint",
    "qloguniform",
    "qrandint",
    "qrandn",
    "quniform",
    "randint",
    "randn",
    "report",
    "sample_from",
    "schedulers",
    "uniform",
    "with_parameters",
    "with_resources",
]
