"""What a user says about a run, beside the training code and the search space."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from os import PathLike
from typing import Any, Literal, cast

from poptune._base.arguments import check_mode, nearest, reject_unknown_keywords
from poptune._base.layout import problem_of_new_folder
from poptune._base.types import Config, Mode, Objective
from poptune._core.scheduler import Scheduler
from poptune._core.trial_spec import TrialSpec
from poptune._keeping.storage import local_path, remote_url
from poptune._running.executors import Executor
from poptune._running.executors.base import check_at_least
from poptune._training.trainable import Resources, check_resources
from poptune.callbacks import Callback
from poptune.errors import ConfigurationError
from poptune.loggers import Logger
from poptune.loggers.chosen import check_loggers
from poptune.loggers.output import LogFiles, log_files
from poptune.schedulers import FIFOScheduler
from poptune.stoppers import StopFunction, Stopper

ProgressStyle = Literal["auto", "live", "lines", "notebook"]
_STYLES = ("auto", "live", "lines", "notebook")
_MODES = frozenset({"max", "min"})
LOGGERS = ("csv", "json", "tensorboard")


@reject_unknown_keywords
@dataclass(frozen=True, kw_only=True)
class TuneConfig:
    """How the population is made and steered.

    Args:
        metric: The metric to optimise, a key of what is reported. One that lies in a dict there is named by
            its path, ``"test/accuracy"``; so it is wherever a metric is named. A list names several, for a
            scheduler that ranks by several; the first one is shown.
        mode: ``"max"`` if larger is better, ``"min"`` if smaller is; for several metrics a list.
        scheduler: The algorithm; by default (``FIFOScheduler``) every trial trains to its end.
        num_samples: How many trials; with a ``grid_search`` in the space, how many for each of its points.
        max_concurrent_trials: Run at most this many trials at once; by default what the machine allows.
        time_budget_s: End everything after this many seconds.
        seed: Everything that poptune draws follows from it. Without one a seed is drawn and journaled.
        seed_libraries: Whether the global random numbers of Python, numpy and torch are seeded, with
            ``get_context().seed``, each time that a trial's code is entered. Without it, trials that make
            their models without a seed of their own may begin with the very same weights, since workers are
            copies of one process. Switch it off if your code sees to its seeds itself.
        reuse_workers: Whether a worker trains one trial after another; False gives each its own process.
        resources_per_trial: ``{"cpu": 1, "gpu": 0.5}``: what one trial may use; more of it in
            :func:`with_resources`.
        points_to_evaluate: Configs, whole or in part, of the first trials.
        trial_name_creator: ``TrialSpec -> str``, for other names of trials.
        trial_dirname_creator: ``TrialSpec -> str``, for other names of their folders.

    Raises:
        ConfigurationError: An argument is out of its range.

    Example:
        >>> import poptune as tune
        >>> tune_config = tune.TuneConfig(metric="loss", mode="min", num_samples=8, seed=0)
    """

    metric: str | Sequence[str] | None = None
    mode: Mode | Sequence[Mode] | None = None
    scheduler: Scheduler[Any] = field(default_factory=FIFOScheduler)
    num_samples: int = 1
    max_concurrent_trials: int | None = None
    time_budget_s: float | None = None
    seed: int | None = None
    seed_libraries: bool = True
    reuse_workers: bool = True
    resources_per_trial: Resources | None = None
    points_to_evaluate: Sequence[Config] = ()
    trial_name_creator: Callable[[TrialSpec], str] | None = None
    trial_dirname_creator: Callable[[TrialSpec], str] | None = None

    def __post_init__(self) -> None:
        for name, value in zip(("metric", "mode"), _alone(self.metric, self.mode), strict=True):
            object.__setattr__(self, name, value)
        check_at_least("num_samples", _required("num_samples", self.num_samples))
        check_at_least("max_concurrent_trials", self.max_concurrent_trials)
        check_at_least("seed", self.seed, least=0)
        scheduler: object = self.scheduler
        if scheduler is None:
            object.__setattr__(self, "scheduler", FIFOScheduler())
        if isinstance(scheduler, type) or not isinstance(scheduler, Scheduler | None):
            raise ConfigurationError(
                f"scheduler must be a scheduler object, got {scheduler!r}: write, for example, "
                "PopulationBasedTraining(...); one of your own is a subclass of "
                "poptune.extending.Scheduler"
            )
        if self.time_budget_s is not None:
            check_seconds("time_budget_s", self.time_budget_s)
        if self.resources_per_trial is not None:
            check_resources(self.resources_per_trial)

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """The metrics to optimise, where there are several."""
        if self.metric is None or isinstance(self.metric, str):
            return ()
        modes = cast("Sequence[Mode]", self.mode)
        return tuple(map(Objective, self.metric, modes))


def _alone(metric: Any, mode: Any) -> tuple[Any, Any]:
    """Return metrics and modes after a check; one that is alone in its list as if it were in none."""
    if metric is None or isinstance(metric, str):
        if isinstance(mode, list | tuple):
            raise ConfigurationError(
                f"Several modes go with as many metrics, got metric={metric!r} and mode={mode!r}: name a "
                "metric for each"
            )
        check_mode(mode)
        return metric, mode
    metrics = tuple(metric) if isinstance(metric, list | tuple) else (metric,)
    modes = (mode,) * len(metrics) if mode is None or isinstance(mode, str) else tuple(mode)
    if not metrics or not all(isinstance(each, str) for each in metrics) or len({*metrics}) < len(metrics):
        raise ConfigurationError(
            f"metric must be the name of a metric, or a list of different ones, got {metric!r}"
        )
    if len(modes) != len(metrics) or not all(isinstance(each, str) and each in _MODES for each in modes):
        raise ConfigurationError(
            f'Each of several metrics needs a mode, "max" or "min", got metric={metric!r} and mode={mode!r}: '
            "write as many modes as metrics"
        )
    return (metrics[0], modes[0]) if len(metrics) == 1 else (metrics, modes)


@reject_unknown_keywords
@dataclass(frozen=True, kw_only=True)
class CheckpointConfig:
    """Which checkpoints are made and kept.

    One that a trial may still go back to, or copies, is kept in any case.

    Args:
        num_to_keep: How many of each trial's own stay on disk; by default all.
        checkpoint_score_attribute: Keep those with the best value of this metric, instead of the newest.
        checkpoint_score_order: ``"max"`` or ``"min"``: which value is best.
        checkpoint_frequency: The class form and ``tune.steps`` save every this many iterations; 0 leaves it
            to the milestones.
        checkpoint_at_end: Whether they save with their last result; by default if they can save.
        save_in_background: Whether ``report()`` returns before the checkpoint is written. It copies the state
            first, which takes memory, and waits at milestones; useful with frequent saves between them. A
            result is known only when its checkpoint is there. The executor ``"inline"`` writes at once.

    Example:
        >>> import poptune as tune
        >>> checkpoint_config = tune.CheckpointConfig(num_to_keep=2)
    """

    num_to_keep: int | None = None
    checkpoint_score_attribute: str | None = None
    checkpoint_score_order: Mode = "max"
    checkpoint_frequency: int = 0
    checkpoint_at_end: bool | None = None
    save_in_background: bool = False

    def __post_init__(self) -> None:
        check_at_least("num_to_keep", self.num_to_keep)
        check_at_least("checkpoint_frequency", self.checkpoint_frequency, least=0)
        if self.checkpoint_score_order not in {"max", "min"}:
            raise ConfigurationError(
                f'checkpoint_score_order must be "max" or "min", got {self.checkpoint_score_order!r}'
            )


@reject_unknown_keywords
@dataclass(frozen=True, kw_only=True)
class FailureConfig:
    """What happens when a trial fails: it raises, its process dies, or it is silent for too long.

    Args:
        max_failures: How often a trial is restarted from its newest checkpoint; -1 sets no limit.
        max_failures_in_all: After this many failures of all trials together none is restarted any more; by
            default there is no such limit.
        retry_pause_s: How long a trial rests before it is restarted, in seconds; twice as long after each
            further failure, at most ten minutes.
        report_timeout_s: A trial that has not reported for so long, in seconds, is taken to hang: its process
            is ended, which is a failure. Its start, with what it imports and sets up, counts, too. By default
            a trial may take as long as it likes. Needs the executor ``"processes"``.
        on_exhausted: What becomes of a trial that may not be restarted any more: ``"error"`` gives it up;
            ``"clone"`` has it begin anew as a copy of one of the best, with changed hyperparameters, as long
            as there is one (a scheduler that copies is needed, such as ``PopulationBasedTraining``).
        fail_fast: Whether the first trial that is given up ends the experiment.
        on_all_failed: What ``fit()`` does where every trial was given up, or was ended without a result
            because of a mistake in the training code that every trial would meet: ``"raise"`` an
            :class:`AllTrialsFailedError`, which has the results, so that a script ends with an exit code
            other than 0; or ``"return"`` them.

    Raises:
        ConfigurationError: An argument is out of its range.

    Example:
        >>> import poptune as tune
        >>> failure_config = tune.FailureConfig(max_failures=3, report_timeout_s=600)
    """

    max_failures: int = 0
    max_failures_in_all: int | None = None
    retry_pause_s: float = 0.0
    report_timeout_s: float | None = None
    on_exhausted: Literal["error", "clone"] = "error"
    fail_fast: bool = False
    on_all_failed: Literal["raise", "return"] = "raise"

    def __post_init__(self) -> None:
        check_at_least("max_failures", self.max_failures, least=-1)
        check_at_least("max_failures_in_all", self.max_failures_in_all, least=0)
        check_seconds("retry_pause_s", self.retry_pause_s, zero=True)
        if self.report_timeout_s is not None:
            check_seconds("report_timeout_s", self.report_timeout_s)
        _check_choice("on_exhausted", self.on_exhausted, ("error", "clone"))
        _check_choice("on_all_failed", self.on_all_failed, ("raise", "return"))


@reject_unknown_keywords
@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Where and how an experiment runs, when it ends, and what is shown and kept of it.

    Args:
        name: The experiment's name and folder; by default the trainable's name and the time.
        storage_path: The folder that experiments are kept in, or the URL of a remote one, such as
            ``s3://bucket/experiments`` (see ``docs/remote_storage.md``).
        stop: ``{"mean_accuracy": 0.96, "training_iteration": 50}`` ends a trial when any of its metrics
            reaches the value, whatever the mode; or a function ``(trial_id, result) -> bool``; or a
            :class:`Stopper`.
        stop_population_at: Like the dict above; the first trial that reaches a value ends them all.
        checkpoint_config: Which checkpoints are made and kept.
        failure_config: What happens when a trial fails.
        callbacks: Hooks of your own, see :class:`Callback`.
        executor: ``"processes"``, ``"ray"``, ``"inline"``, or an executor with options of its own.
        progress: ``"live"`` (a table that is redrawn), ``"notebook"``, ``"lines"``, or ``"auto"``: what
            fits the place where the program runs.
        loggers: What is written beside the journal, which holds it all in any case: ``"csv"``
            (``progress.csv``), ``"json"`` (``result.json``), ``"tensorboard"`` (event files, where that is
            installed), the name of a logger that another installed package has, or a
            :class:`poptune.loggers.Logger` of your own.
        log_to_file: Whether what a trial prints is kept in its folder, in ``stdout`` and ``stderr``; or the
            name of one file for both, or of two files.
        verbose: 0 shows nothing, 1 the progress.

    Raises:
        ConfigurationError: An argument is out of its range.

    Example:
        >>> import poptune as tune
        >>> run_config = tune.RunConfig(name="pbt_mnist", stop={"training_iteration": 50})
    """

    name: str | None = None
    storage_path: str | PathLike[str] = "~/poptune_results"
    stop: Mapping[str, float] | StopFunction | Stopper | None = None
    stop_population_at: Mapping[str, float] | None = None
    checkpoint_config: CheckpointConfig = field(default_factory=CheckpointConfig)
    failure_config: FailureConfig = field(default_factory=FailureConfig)
    callbacks: Sequence[Callback] = ()
    executor: str | Executor = "processes"
    progress: ProgressStyle = "auto"
    loggers: Sequence[str | Logger] = LOGGERS
    log_to_file: LogFiles = False
    verbose: int = 1

    def __post_init__(self) -> None:
        _check_name(self.name)
        remote_url(self.storage_path) or local_path(self.storage_path)
        if self.stop is not None:
            _check_stop_rule(self.stop)
        if self.stop_population_at is not None:
            _check_stop("stop_population_at", self.stop_population_at)
        _check_callbacks(self.callbacks)
        check_loggers(self.loggers)
        log_files(self.log_to_file)
        if self.progress not in _STYLES:
            raise ConfigurationError(
                f"progress must be one of {', '.join(_STYLES)}, got {self.progress!r}"
                + nearest(str(self.progress), _STYLES)
            )


def check_seconds(name: str, value: float, *, zero: bool = False) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or value < 0 or (value == 0 and not zero):
        least = "at least 0" if zero else "greater than 0"
        raise ConfigurationError(f"{name} must be a number of seconds, {least}, got {value!r}")


def _check_choice(name: str, value: str, choices: tuple[str, str]) -> None:
    if value not in choices:
        one, other = choices
        raise ConfigurationError(
            f'{name} must be "{one}" or "{other}", got {value!r}' + nearest(str(value), choices)
        )


def _required(name: str, value: int | None) -> int:
    if value is None:
        raise ConfigurationError(f"{name} must be a whole number of at least 1, got None")
    return value


def _check_callbacks(callbacks: Sequence[Callback]) -> None:
    if not isinstance(callbacks, Sequence):
        raise ConfigurationError(
            f"callbacks must be a list of callbacks, got {callbacks!r}: write RunConfig(callbacks=[...])"
        )
    for callback in callbacks:
        if not isinstance(callback, Callback):
            raise ConfigurationError(
                f"callbacks must be objects of classes derived from tune.Callback, got {callback!r}"
            )


def _check_name(name: str | None) -> None:
    if name is None:
        return
    if not isinstance(name, str):
        raise ConfigurationError(f"The experiment's name must be a folder's name, got {name!r}")
    if problem := problem_of_new_folder(name):
        raise ConfigurationError(
            f"The experiment's name must be a folder's name, but {problem}, got {name!r}: the folder that it "
            "is to be in is the storage_path"
        )


def _check_stop_rule(stop: object) -> None:
    """Refuse what is no rule, or would be called otherwise than as ``stop(trial_id, result)``."""
    if isinstance(stop, type):
        raise ConfigurationError(
            f"stop must be an object that is asked, got the class {stop.__name__}: make one of it, "
            f"stop={stop.__name__}(...)"
        )
    if not callable(stop):
        _check_stop("stop", stop)
    elif not isinstance(stop, Stopper) and not _takes_two(stop):
        raise ConfigurationError(
            f"stop must be a function of a trial's id and its result, got {stop!r}: write "
            "def stop(trial_id, result): return result[...] > ..."
        )


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind("", {})
    except TypeError:
        return False
    except ValueError:  # it has no signature that could be known
        return True
    return True


def _check_stop(what: str, stop: object) -> None:
    if not isinstance(stop, Mapping):
        raise ConfigurationError(f'{what} must be a dict such as {{"training_iteration": 50}}, got {stop!r}')
    for key, value in stop.items():
        is_number = isinstance(value, Real) and not isinstance(value, bool)
        if not isinstance(key, str) or not is_number or math.isnan(value):
            raise ConfigurationError(
                f"{what} must map metrics to the numbers that end a trial, got {key!r}: {value!r}"
            )
