"""``ray.air.session``: what training code calls. It finds the session of the worker that it runs in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import poptune
from poptune._training import current
from poptune.compat.ray._checkpoint import Checkpoint, of_native, to_native
from poptune.compat.ray._context import get_context
from poptune.compat.ray._metrics import as_plain
from poptune.compat.ray._missing import refuse_names
from poptune.errors import TrainableError

__all__ = [
    "get_checkpoint",
    "get_experiment_name",
    "get_local_rank",
    "get_trial_dir",
    "get_trial_id",
    "get_trial_name",
    "get_trial_resources",
    "get_world_rank",
    "get_world_size",
    "report",
]

__getattr__ = refuse_names(
    __name__,
    {
        "get_dataset_shard": "give data to a trainable with tune.with_parameters",
    },
)


def report(
    metrics: Mapping[str, Any] | None = None,
    *,
    checkpoint: Checkpoint | poptune.Checkpoint | None = None,
    **by_keyword: Any,
) -> None:
    """Report one result of the trial, and save its state if a checkpoint is given.

    With ``done: True`` among the metrics it is the trial's last. An object that is no plain value is kept as
    its text, with a line in the log.

    Raises:
        TrainableError: The metrics are given by keyword, as until 2022; or see :func:`poptune.report`.
    """
    if metrics is None or by_keyword:
        shown = ", ".join(f'"{name}": ...' for name in by_keyword)
        raise TrainableError(
            f"report() takes a dict of metrics, got {', '.join(by_keyword) or 'none'} by keyword, as in Ray "
            f"until 2022: write report({{{shown}}})"
        )
    native = to_native(checkpoint)
    mine = current.session("report()")
    if mine.before_report is not None:
        mine.before_report(native)
    mine.report(as_plain(metrics), native, done=_says_done(metrics))


def get_checkpoint() -> Checkpoint | None:
    """Return the state that the trial goes on from, or ``None`` if it starts afresh."""
    return of_native(poptune.get_checkpoint())


def _says_done(metrics: object) -> bool:
    return isinstance(metrics, Mapping) and bool(metrics.get("done"))


def get_trial_id() -> str:
    """Return the trial's id."""
    return get_context().trial_id


def get_trial_name() -> str:
    """Return the trial's name."""
    return get_context().trial_name


def get_trial_dir() -> str:
    """Return the path of the trial's folder."""
    return get_context().trial_dir


def get_trial_resources() -> Mapping[str, float]:
    """Return what the trial may use, such as ``{"cpu": 1}``."""
    return get_context().trial_resources


def get_world_rank() -> int:
    """Return 0: a trial is one process."""
    return get_context().get_world_rank()


def get_local_rank() -> int:
    """Return 0: a trial is one process."""
    return get_context().get_local_rank()


def get_world_size() -> int:
    """Return 1: a trial is one process."""
    return get_context().get_world_size()


def get_experiment_name() -> str:
    """Return the experiment's name."""
    return get_context().experiment_name
