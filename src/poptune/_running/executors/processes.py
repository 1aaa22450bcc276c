"""The executor for worker processes on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from poptune._running.executors.base import Work, available_cores, check_at_least, on_one_machine
from poptune._running.executors.gpus import slots_on_gpus, visible_gpus
from poptune._running.executors.worker_processes import ProcessWorkers
from poptune.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessExecutor:
    """Run trials in worker processes on this machine.

    Workers are forked from one process that has imported, once, what the trainable uses; where forking is
    not safe they are started afresh. The program's own main module is never run again: what it defines is
    sent by value.

    Args:
        slots: How many trials run at once. By default as many as the cores, or the GPUs, allow.
        max_resident_trials: How many trials may be held in memory, running or waiting for their turn. By
            default all of them as long as memory lasts; on GPUs as many as there are slots.
        preload: Modules to import before forking. By default those that the trainable uses.
        fork: Whether workers are forked. False starts each one as a fresh process.

    Example:
        >>> import poptune as tune
        >>> run_config = tune.RunConfig(executor=tune.ProcessExecutor(slots=2))
    """

    slots: int | None = None
    max_resident_trials: int | None = None
    preload: Sequence[str] | None = None
    fork: bool = True

    def __post_init__(self) -> None:
        check_at_least("slots", self.slots)
        check_at_least("max_resident_trials", self.max_resident_trials)
        if isinstance(self.preload, str):
            raise ConfigurationError(
                f"preload must be a list of module names, got {self.preload!r}: write [{self.preload!r}]"
            )

    def count_slots(self, bundles: Sequence[Mapping[str, float]]) -> int:
        resources = on_one_machine(bundles)
        cores, gpus = resources.get("cpu", 1.0), resources.get("gpu", 0.0)
        on_gpus = slots_on_gpus(gpus, visible_gpus()) if gpus else None
        if self.slots is not None:
            return self.slots if on_gpus is None else min(self.slots, on_gpus)
        on_cores = max(1, int(available_cores() / cores)) if cores else None
        return min(slots for slots in (on_cores, on_gpus, available_cores()) if slots is not None)

    def open(self, work: Work) -> ProcessWorkers:
        return ProcessWorkers(work, preload=self.preload, fork=self.fork)
