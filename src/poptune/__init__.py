"""Population Based Training where the training is all that you pay for.

Write what one trial does as a function of its config that reports after each iteration, say which
hyperparameters may be what, and have a population trained::

    import poptune as tune

    def train(config):
        height = tune.StateRef(0.0)
        for step in tune.steps(config, height=height):  # saves and restores what it is given
            height.value += config["lr"]
            tune.report({"height": height.value})

    space = {"lr": tune.loguniform(1e-4, 1)}
    scheduler = tune.PopulationBasedTraining(
        time_attr="training_iteration", perturbation_interval=5, hyperparam_mutations=space
    )
    results = tune.Tuner(
        train,
        param_space=space,
        tune_config=tune.TuneConfig(metric="height", mode="max", num_samples=8, scheduler=scheduler),
        run_config=tune.RunConfig(stop={"training_iteration": 50}),
    ).fit()
    print(results, results.get_best_result().schedule)

Go on with ``help(tune.Tuner)``, ``help(tune.PopulationBasedTraining)``, ``help(tune.steps)`` and
``help(tune.ResultGrid)``; with ``tune.plots.curves(results)``, if matplotlib is installed; and from a shell
with ``poptune --help``.

Public names are imported when they are first used: a worker that only reports needs no scheduler, and a
program that only reads results needs no executor.
"""

import importlib
from typing import TYPE_CHECKING, Any

from poptune._base.lazy import exports
from poptune._former_paths import keep_former_paths
from poptune._version import __version__

keep_former_paths()

if TYPE_CHECKING:
    from poptune import loggers, plots, schedulers
    from poptune._core.schedule import Schedule
    from poptune._keeping.checkpoints import Checkpoint
    from poptune._running.executors import InlineExecutor, ProcessExecutor, RayExecutor, preload
    from poptune._running.tuner import CheckpointConfig, FailureConfig, RunConfig, TuneConfig, Tuner, verify
    from poptune._training.current import TrialContext, get_checkpoint, get_config, get_context, report
    from poptune._training.shared import ObjectRef, get, put
    from poptune._training.states import RandomState, StateRef
    from poptune._training.steps import steps
    from poptune._training.trainable import Trainable, with_parameters, with_resources
    from poptune.callbacks import Callback
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
        SchedulerError,
        StorageError,
        TrainableError,
        TrainingCodeError,
        UntrustedCheckpointError,
    )
    from poptune.integrations import bind
    from poptune.results import Result, ResultGrid
    from poptune.schedulers import (
        ASHAScheduler,
        AsyncHyperBandScheduler,
        FIFOScheduler,
        MedianStoppingRule,
        PopulationBasedTraining,
        PopulationBasedTrainingReplay,
    )
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

__all__ = [
    "ASHAScheduler",
    "AllTrialsFailedError",
    "AsyncHyperBandScheduler",
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
    "FIFOScheduler",
    "FailureConfig",
    "FunctionStopper",
    "InlineExecutor",
    "InternalError",
    "JournalError",
    "MaximumIterationStopper",
    "MedianStoppingRule",
    "NoopStopper",
    "ObjectRef",
    "PoptuneError",
    "PoptuneWarning",
    "PopulationBasedTraining",
    "PopulationBasedTrainingReplay",
    "ProcessExecutor",
    "RandomState",
    "RayExecutor",
    "Result",
    "ResultGrid",
    "RunConfig",
    "Schedule",
    "SchedulerError",
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
    "get_config",
    "get_context",
    "grid_search",
    "loggers",
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
    "_keeping.checkpoints": "Checkpoint",
    "_core.schedule": "Schedule",
    "errors": (
        "AllTrialsFailedError CheckpointError ConfigurationError CorruptCheckpointError ExecutorError "
        "ExperimentError InternalError JournalError PoptuneError PoptuneWarning "
        "SchedulerError StorageError TrainableError TrainingCodeError UntrustedCheckpointError"
    ),
    "_running.executors": "InlineExecutor ProcessExecutor RayExecutor preload",
    "integrations": "bind",
    "results": "Result ResultGrid",
    "_training.current": "TrialContext get_checkpoint get_config get_context report",
    "_training.shared": "ObjectRef get put",
    "_training.states": "RandomState StateRef",
    "_training.steps": "steps",
    "_training.trainable": "Trainable with_parameters with_resources",
    "schedulers": (
        "ASHAScheduler AsyncHyperBandScheduler FIFOScheduler MedianStoppingRule PopulationBasedTraining "
        "PopulationBasedTrainingReplay"
    ),
    "search_space": (
        "choice grid_search lograndint loguniform ordinal qlograndint qloguniform qrandint "
        "qrandn quniform randint randn sample_from uniform"
    ),
    "stoppers": (
        "CombinedStopper ExperimentPlateauStopper FunctionStopper MaximumIterationStopper "
        "NoopStopper Stopper TimeoutStopper TrialPlateauStopper"
    ),
    "_running.tuner": "CheckpointConfig FailureConfig RunConfig TuneConfig Tuner verify",
}
_ROOMS = {"loggers", "plots", "schedulers"}
_exported = exports(__name__, _NAMES_BY_HOME)


def __getattr__(name: str) -> Any:
    return importlib.import_module(f"poptune.{name}") if name in _ROOMS else _exported(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
