"""poptune: Population Based Training where the training is all that you pay for.

Layers, each of which may use those below it: ``tuner`` wires everything · ``results``, ``plots`` and
``progress`` only look · ``controller`` joins core, ``journal`` and ``executors`` · ``mirroring`` keeps a
remote copy in step, through ``storage`` · ``executors`` run the ``runtime`` in workers · ``schedulers``
decide for the ``core`` · ``core`` is pure and knows only ``search_space``.

Public names are imported when they are first used: a worker that only reports needs no scheduler, and a
program that only reads results needs no executor.
"""

import importlib
from typing import TYPE_CHECKING, Any

from poptune._version import __version__
from poptune.lazy import exports

if TYPE_CHECKING:
    from poptune import plots, schedulers
    from poptune.callbacks import Callback
    from poptune.checkpoints import Checkpoint
    from poptune.core.schedule import Schedule
    from poptune.errors import (
        AllTrialsFailedError,
        CheckpointError,
        ConfigurationError,
        CorruptCheckpointError,
        ExecutorError,
        ExperimentError,
        InternalError,
        JournalError,
        PoptuneError,
        PoptuneWarning,
        StorageError,
        TrainableError,
        TrainingCodeError,
        UntrustedCheckpointError,
    )
    from poptune.executors import InlineExecutor, ProcessExecutor, RayExecutor, preload
    from poptune.integrations import bind
    from poptune.results import Result, ResultGrid
    from poptune.runtime.current import TrialContext, get_checkpoint, get_context, report
    from poptune.runtime.shared import ObjectRef, get, put
    from poptune.runtime.states import RandomState, StateRef
    from poptune.runtime.steps import steps
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
    from poptune.tuner import CheckpointConfig, FailureConfig, RunConfig, TuneConfig, Tuner, verify

__all__ = [
    "AllTrialsFailedError",
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
    "RandomState",
    "RayExecutor",
    "Result",
    "ResultGrid",
    "RunConfig",
    "Schedule",
    "StateRef",
    "Stopper",
    "StorageError",
    "TimeoutStopper",
    "Trainable",
    "TrainableError",
    "TrainingCodeError",
    "TrialContext",
    "TrialPlateauStopper",
    "TuneConfig",
    "Tuner",
    "UntrustedCheckpointError",
    "__version__",
    "bind",
    "choice",
    "get",
    "get_checkpoint",
    "get_context",
    "grid_search",
    "lograndint",
    "loguniform",
    "ordinal",
    "plots",
    "preload",
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
    "steps",
    "uniform",
    "verify",
    "with_parameters",
    "with_resources",
]

_NAMES_BY_HOME = {
    "callbacks": "Callback",
    "checkpoints": "Checkpoint",
    "core.schedule": "Schedule",
    "errors": (
        "AllTrialsFailedError CheckpointError ConfigurationError CorruptCheckpointError ExecutorError "
        "ExperimentError InternalError JournalError PoptuneError PoptuneWarning StorageError "
        "TrainableError TrainingCodeError UntrustedCheckpointError"
    ),
    "executors": "InlineExecutor ProcessExecutor RayExecutor preload",
    "integrations": "bind",
    "results": "Result ResultGrid",
    "runtime.current": "TrialContext get_checkpoint get_context report",
    "runtime.shared": "ObjectRef get put",
    "runtime.states": "RandomState StateRef",
    "runtime.steps": "steps",
    "runtime.trainable": "Trainable with_parameters with_resources",
    "search_space": (
        "choice grid_search lograndint loguniform ordinal qlograndint qloguniform qrandint "
        "qrandn quniform randint randn sample_from uniform"
    ),
    "stoppers": (
        "CombinedStopper ExperimentPlateauStopper FunctionStopper MaximumIterationStopper "
        "NoopStopper Stopper TimeoutStopper TrialPlateauStopper"
    ),
    "tuner": "CheckpointConfig FailureConfig RunConfig TuneConfig Tuner verify",
}
_ROOMS = {"plots", "schedulers"}
_exported = exports(__name__, _NAMES_BY_HOME)


def __getattr__(name: str) -> Any:
    return importlib.import_module(f"poptune.{name}") if name in _ROOMS else _exported(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
