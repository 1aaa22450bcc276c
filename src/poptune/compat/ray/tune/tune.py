"""``ray.tune.tune``: ``tune.run``, the entry point of before 2022."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from os import PathLike
from typing import Any

from poptune import Callback
from poptune._base.arguments import nearest
from poptune._base.types import Mode
from poptune._core.scheduler import Scheduler
from poptune.compat.ray._arguments import refuse
from poptune.compat.ray.air.config import CheckpointConfig, FailureConfig, RunConfig
from poptune.compat.ray.air.stopping import Stop
from poptune.compat.ray.tune.analysis import ExperimentAnalysis
from poptune.compat.ray.tune.error import TuneError
from poptune.compat.ray.tune.experiment import Trial
from poptune.compat.ray.tune.progress_reporter import CLIReporter
from poptune.compat.ray.tune.registry import Trainable, find_trainable
from poptune.compat.ray.tune.resuming import resumed
from poptune.compat.ray.tune.schedulers import create_scheduler
from poptune.compat.ray.tune.search import BasicVariantGenerator
from poptune.compat.ray.tune.syncer import SyncConfig
from poptune.compat.ray.tune.trainable import with_resources
from poptune.compat.ray.tune.tune_config import TuneConfig
from poptune.compat.ray.tune.tuner import Tuner
from poptune.loggers.output import LogFiles

_OF_ANOTHER_ERA = {
    "loggers": "pass callbacks=[...] of classes derived from tune.logger.LoggerCallback",
    "upload_dir": "copy the results when the run is over",
    "sync_to_driver": "there is one machine",
    "queue_trials": "trials always wait for their turn",
    "ray_auto_init": "there is nothing to start",
    "trial_executor": "pass a poptune.RunConfig(executor=...) to tune.Tuner",
    "with_server": "there is no server",
    "server_port": "there is no server",
    "global_checkpoint_period": "every event is journaled at once",
    "trial_resources": "say resources_per_trial",
}
_OF_A_TUNER = {
    "param_space": "say config",
    "tune_config": "give each of its values by its own name, as num_samples=...",
    "run_config": "give each of its values by its own name, as storage_path=...",
}
_REFUSED = {
    "export_formats": "read the checkpoints",
    "resume_config": 'say resume="AUTO+ERRORED" or resume="AUTO+RESTART_ERRORED"',
    "restore": "give the checkpoint to the trainable with tune.with_parameters",
}


def run(
    run_or_experiment: Trainable | str,
    *,
    name: str | None = None,
    metric: str | None = None,
    mode: Mode | None = None,
    stop: Stop | Sequence[Stop] | None = None,
    time_budget_s: float | timedelta | None = None,
    config: Mapping[str, Any] | None = None,
    resources_per_trial: object = None,
    num_samples: int = 1,
    storage_path: str | PathLike[str] | None = None,
    local_dir: str | PathLike[str] | None = None,
    search_alg: BasicVariantGenerator | None = None,
    scheduler: Scheduler[Any] | str | None = None,
    checkpoint_config: CheckpointConfig | None = None,
    keep_checkpoints_num: int | None = None,
    checkpoint_score_attr: str | None = None,
    checkpoint_freq: int = 0,
    checkpoint_at_end: bool | None = None,
    verbose: int | None = None,
    progress_reporter: CLIReporter | None = None,
    log_to_file: LogFiles = False,
    trial_name_creator: Callable[[Trial], str] | None = None,
    trial_dirname_creator: Callable[[Trial], str] | None = None,
    chdir_to_trial_dir: bool = True,
    sync_config: SyncConfig | None = None,
    export_formats: Sequence[str] | None = None,
    max_failures: int = 0,
    fail_fast: bool = False,
    restore: str | None = None,
    resume: bool | str | None = None,
    resume_config: object = None,
    reuse_actors: bool | None = None,
    raise_on_failed_trial: bool = True,
    callbacks: Sequence[Callback] | None = None,
    max_concurrent_trials: int | None = None,
    **of_another_era: Any,
) -> ExperimentAnalysis:
    """Train a population and return its analysis.

    Raises:
        ConfigurationError: An argument is out of its range, or cannot be honoured.
        TuneError: A trial failed, unless ``raise_on_failed_trial`` is False.
    """
    given: dict[str, object] = dict(locals())
    for unknown in of_another_era:
        raise TypeError(f"tune.run has no argument {unknown!r}{_remedy(unknown)}")
    refuse("tune.run", given, _REFUSED)
    if checkpoint_config is None:
        checkpoint_config = _checkpoint_config(
            keep_checkpoints_num, checkpoint_score_attr, checkpoint_freq, checkpoint_at_end
        )
    tune_config = TuneConfig(
        metric=metric,
        mode=mode,
        search_alg=search_alg,
        scheduler=create_scheduler(scheduler) if isinstance(scheduler, str) else scheduler,
        num_samples=num_samples,
        max_concurrent_trials=max_concurrent_trials,
        time_budget_s=time_budget_s,
        reuse_actors=reuse_actors,
        trial_name_creator=trial_name_creator,
        trial_dirname_creator=trial_dirname_creator,
        chdir_to_trial_dir=chdir_to_trial_dir,
    )
    run_config = RunConfig(
        name=name,
        storage_path=storage_path,
        local_dir=local_dir,
        stop=stop,
        checkpoint_config=checkpoint_config,
        failure_config=FailureConfig(max_failures=max_failures, fail_fast=fail_fast),
        sync_config=sync_config,
        progress_reporter=progress_reporter,
        callbacks=callbacks,
        verbose=verbose,
        log_to_file=log_to_file,
    )
    trainable = find_trainable(run_or_experiment)
    if resources_per_trial is not None:
        trainable = with_resources(trainable, resources_per_trial)
    tuner = resumed(resume, run_config, trainable) or Tuner(
        trainable, param_space=config, tune_config=tune_config, run_config=run_config
    )
    results = tuner.fit()
    if results.errors and raise_on_failed_trial:
        raise TuneError(
            f"{results.num_errors} of {len(results)} trials failed, the first:\n{results.errors[0]}"
        )
    return ExperimentAnalysis(results, default_metric=metric, default_mode=mode)


def _remedy(unknown: str) -> str:
    if unknown in _OF_ANOTHER_ERA:
        return f" any more: {_OF_ANOTHER_ERA[unknown]}"
    if unknown in _OF_A_TUNER:
        return f", a Tuner has: {_OF_A_TUNER[unknown]}"
    return nearest(unknown, inspect.signature(run).parameters.keys() - _REFUSED.keys() - {"of_another_era"})


def _checkpoint_config(
    num_to_keep: int | None, score_attribute: str | None, frequency: int, at_end: bool | None
) -> CheckpointConfig:
    """Return what the four arguments of before 2022 say; ``min-loss`` keeps those with the least loss."""
    least = score_attribute is not None and score_attribute.startswith("min-")
    return CheckpointConfig(
        num_to_keep=num_to_keep,
        checkpoint_score_attribute=score_attribute and score_attribute.removeprefix("min-"),
        checkpoint_score_order="min" if least else "max",
        checkpoint_frequency=frequency,
        checkpoint_at_end=at_end,
    )
