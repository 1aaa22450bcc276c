"""A ``Trainable`` that a test or a debugger drives by hand, outside a trial."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import poptune
from poptune._training.host import host
from poptune._training.totals import Totals
from poptune.compat.ray._checkpoint import Checkpoint
from poptune.errors import TrainableError

NO_TRIAL = "default"
"""What Ray calls the trial where there is none."""
_TOTALS = ("timesteps_total", "episodes_total")


@dataclass(frozen=True)
class TrainingResult:
    """What ``save()`` returns and ``restore()`` takes: a state, and the result it came with.

    It is a path, too, as it was until 2023.
    """

    checkpoint: Checkpoint
    metrics: dict[str, Any] = field(default_factory=dict)

    def __fspath__(self) -> str:
        return self.checkpoint.path


class Standalone:
    """Where an object stands that no trial drives."""

    def __init__(self, metrics: Mapping[str, Any] | None = None) -> None:
        last = metrics or {}
        self.iteration = int(last.get("training_iteration", 0))
        self._time_total_s = float(last.get("time_total_s", 0.0))
        self._time_since_s, self._iterations_since = 0.0, 0
        self._totals = Totals({total: last[total] for total in _TOTALS if total in last})
        self.last_result: dict[str, Any] = dict(last)

    def completed(self, metrics: object, config: dict[str, Any], began_s: float) -> dict[str, Any]:
        """Return the result of a step with all that ``train()`` adds to it, and count it.

        Raises:
            TrainableError: It is no dict.
        """
        if not isinstance(metrics, Mapping):
            raise TrainableError(f"step() must return a dict of metrics, got {metrics!r}")
        row = dict(metrics)
        elapsed_s = row.get("time_this_iter_s")
        elapsed_s = time.perf_counter() - began_s if elapsed_s is None else elapsed_s
        self.iteration += 1
        self._iterations_since += 1
        self._time_total_s += elapsed_s
        self._time_since_s += elapsed_s
        self._totals.add(row)
        self._totals.keep()
        now = datetime.now().astimezone()
        row = {
            "done": False,
            "training_iteration": self.iteration,
            "timestamp": int(now.timestamp()),
            **row,
            "time_this_iter_s": elapsed_s,
            "time_total_s": self._time_total_s,
            "time_since_restore": self._time_since_s,
            "iterations_since_restore": self._iterations_since,
            "date": now.strftime("%Y-%m-%d_%H-%M-%S"),
            "trial_id": NO_TRIAL,
            "config": config,
            **host(),
        }
        self.last_result = row
        return row


def saved(state: object, folder: str, metrics: Mapping[str, Any]) -> TrainingResult:
    """Return what ``save_checkpoint`` gave as a checkpoint in the folder that it was to use.

    Raises:
        TrainableError: It names another folder.
    """
    if isinstance(state, Mapping):
        poptune.Checkpoint.from_dict(dict(state)).to_directory(folder)
    elif isinstance(state, str) and not Path(state).resolve().is_relative_to(Path(folder).resolve()):
        raise TrainableError(
            f"save_checkpoint must write into the folder that it is given, {folder!r}, got {state!r}: return "
            "a dict, or nothing"
        )
    return TrainingResult(Checkpoint(folder), dict(metrics))


def training_result_of(state: TrainingResult | Checkpoint | str | PathLike[str]) -> TrainingResult:
    """Return a state that was saved before, in any of the forms that name it."""
    if isinstance(state, TrainingResult):
        return state
    return TrainingResult(state if isinstance(state, Checkpoint) else Checkpoint(fspath(state)))


def new_folder(given: str | PathLike[str] | None) -> str:
    """Return the folder to save into: the one that is given, made if need be, or a temporary one."""
    if given is None:
        return tempfile.mkdtemp(prefix="checkpoint_")
    Path(given).mkdir(parents=True, exist_ok=True)
    return fspath(given)
