"""The seam between controller and executors: a few methods, so that a fake fits on one screen."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from poptune._base.types import TrialId
from poptune._training.protocol import Assignment, Message, News, ProceedOrder, Terms
from poptune._training.trainable import Prepared
from poptune.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What an executor is to run: the trainable, what holds for all its trials, and how many at once."""

    prepared: Prepared
    terms: Terms
    slots: int
    most_slots: int = 0
    """How many trials may run at once if there comes to be more room; never less than ``slots`` is meant."""
    bundles: Sequence[Mapping[str, float]] = ({"cpu": 1.0},)
    """What one trial needs, in portions that each are on one machine."""
    reuse_workers: bool = True


class Executor(Protocol):
    """Options of an executor; frozen, so that one can be used for several experiments."""

    @property
    def max_resident_trials(self) -> int | None:
        """How many trials may be held in memory; ``None`` leaves it to poptune."""
        ...

    def count_slots(self, bundles: Sequence[Mapping[str, float]]) -> int:
        """Return how many trials that need these resources can run at once.

        Args:
            bundles: What one trial needs, in portions that each must be on one machine.

        Raises:
            ConfigurationError: Not even one can.
        """
        ...

    def open(self, work: Work) -> Workers:
        """Get ready to run trials.

        Raises:
            ConfigurationError: The trainable cannot be brought to the workers.
        """
        ...


class Workers(Protocol):
    """Running workers. Trials are given to them; messages come back."""

    def assign(self, assignment: Assignment) -> None:
        """Train a trial: in the worker that holds it, or else in a free or new one."""
        ...

    def proceed(self, order: ProceedOrder) -> None:
        """Let a trial that waits inside its report go on."""
        ...

    def release(self, trial: TrialId) -> None:
        """Have a trial's code left at its next report, and its worker freed."""
        ...

    def kill(self, trial: TrialId, reason: str) -> None:
        """End the worker that holds a trial, at once; the trial is then lost, for this reason.

        An executor whose trials cannot be ended from outside does nothing.
        """
        ...

    def poll(self, timeout_s: float) -> Sequence[Message | News]:
        """Return what has come, in order for each trial; wait up to ``timeout_s`` for the first."""
        ...

    def close(self, grace_s: float) -> None:
        """End all workers: those that do not leave their code within ``grace_s`` are killed.

        What trials printed meanwhile is returned by a last :meth:`poll`.
        """
        ...


def check_at_least(name: str, value: int | None, least: int = 1) -> None:
    """Raise ``ConfigurationError`` unless an option is ``None`` or a whole number of at least ``least``."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigurationError(f"{name} must be a whole number of at least {least}, got {value!r}")


def on_one_machine(bundles: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return what one trial needs of this machine.

    Raises:
        ConfigurationError: It needs several machines, or what only a cluster has.
    """
    for bundle in bundles:
        for name in bundle:
            if name not in {"cpu", "gpu"}:
                raise ConfigurationError(
                    f'resources may name "cpu" and "gpu" on one machine, got {name!r}: other resources are '
                    "for clusters, RunConfig(executor=tune.RayExecutor(...))"
                )
    if len(bundles) != 1:
        raise ConfigurationError(
            f"On one machine a trial is one process with one bundle of resources, got {list(bundles)}: add "
            "them up into one, or use RunConfig(executor=tune.RayExecutor(...))"
        )
    return dict(bundles[0])


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def working_folder() -> str:
    """Where this process works; nothing if that folder is gone."""
    try:
        return str(Path.cwd())
    except OSError:
        return ""
