"""The executor for clusters, as far as it can be spoken of without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, get_args

from poptune._base.notices import warn
from poptune._running.executors.base import Work, Workers, check_at_least
from poptune._running.executors.placement import Strategy, count_fitting, lacking
from poptune.errors import ConfigurationError

_MOST_SLOTS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RayExecutor:
    """Run trials on a Ray cluster, each in an actor.

    It needs ``pip install "poptune[ray]"``, and as ``storage_path`` a folder that is at the same place on all
    nodes, or a remote URL. A program that has called ``ray.init`` keeps its connection.

    Args:
        address: Of the cluster: ``"auto"`` for the one that this machine belongs to, or ``"host:port"`` of
            its head. By default the one that the environment names (``RAY_ADDRESS``) or that runs here; if
            there is none, one is started on this machine for as long as the program runs.
        slots: How many trials run at once, at the most. By default as many as there is room for, and more
            when nodes join.
        max_resident_trials: How many trials may be held in memory, running or waiting for their turn. By
            default all of them as long as the nodes' memory lasts; where a trial has GPUs or several bundles
            of resources, as many as run.
        strategy: How the bundles of one trial are placed: ``"PACK"``, ``"SPREAD"``, ``"STRICT_PACK"`` or
            ``"STRICT_SPREAD"``, as Ray means them.
        scales: Whether the cluster adds nodes when they are asked for. Then resources that no node has now
            are waited for, with a warning; else they are an error.
        runtime_env: What Ray is to set up for the workers, such as ``{"working_dir": "."}``.

    Example:
        >>> import poptune as tune
        >>> run_config = tune.RunConfig(executor=tune.RayExecutor(address="auto", slots=64))
    """

    address: str | None = None
    slots: int | None = None
    max_resident_trials: int | None = None
    strategy: Strategy = "PACK"
    scales: bool = False
    runtime_env: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        check_at_least("slots", self.slots)
        check_at_least("max_resident_trials", self.max_resident_trials)
        if self.address is not None and not (isinstance(self.address, str) and self.address):
            raise ConfigurationError(
                f'address must be "auto" or the "host:port" of a cluster\'s head, got {self.address!r}'
            )
        if self.address is not None and self.address.startswith("ray://"):
            raise ConfigurationError(
                f"The program must run on a node of the cluster, got address={self.address!r}, which is for "
                "programs outside of it: submit the program as a job, or run it on the head node with "
                'address="auto"'
            )
        if self.strategy not in get_args(Strategy):
            raise ConfigurationError(
                f"strategy must be one of {', '.join(get_args(Strategy))}, got {self.strategy!r}"
            )

    def count_slots(self, bundles: Sequence[Mapping[str, float]]) -> int:
        ray = _ray()
        ray.connect(self.address)
        named = [in_the_clusters_words(bundle) for bundle in bundles]
        nodes = ray.nodes()
        if missing := lacking(named, nodes):
            self._complain(missing)
        slots = max(1, count_fitting(named, nodes, most=self.slots or _MOST_SLOTS))
        most = self.max_resident_trials
        if needs_a_slot_for_itself(bundles) and most is not None and most > (self.slots or slots):
            raise ConfigurationError(
                "A trial with GPUs or several bundles keeps its slot as long as it is in memory, so "
                f"max_resident_trials must be at most the number of slots, {self.slots or slots}, got {most}"
                ": leave it out"
            )
        return slots

    def _complain(self, missing: list[str]) -> None:
        what = f"Each trial needs {'; and '.join(missing)}"
        if not self.scales:
            raise ConfigurationError(
                f"{what}: ask for less with tune.with_resources(...), or, if the cluster adds nodes by itself"
                ", say RayExecutor(scales=True)"
            )
        warn(f"{what}: the trials wait until the cluster has added it")

    def open(self, work: Work) -> Workers:
        ray = _ray()
        ray.connect(self.address)
        most = max(work.slots, min(work.most_slots, self.slots or _MOST_SLOTS))
        workers: Workers = ray.open_workers(
            work,
            bundles=[in_the_clusters_words(bundle) for bundle in work.bundles],
            slots=most,
            strategy=self.strategy,
            runtime_env=dict(self.runtime_env or {}),
            exclusive=needs_a_slot_for_itself(work.bundles),
        )
        return workers


def needs_a_slot_for_itself(bundles: Sequence[Mapping[str, float]]) -> bool:
    """Whether a trial keeps what it has even while it waits: its GPU, or its own workers elsewhere."""
    return len(bundles) > 1 or any(bundle.get("gpu") for bundle in bundles)


def in_the_clusters_words(bundle: Mapping[str, float]) -> dict[str, float]:
    """Return resources by Ray's names, and never none at all."""
    words = {"cpu": "CPU", "gpu": "GPU"}
    named = {words.get(name, name): float(amount) for name, amount in bundle.items() if amount}
    return named or {"CPU": 0.001}


def _ray() -> ModuleType:
    try:
        from poptune._running.executors import ray
    except ImportError as error:
        if error.name is None or error.name.split(".")[0] != "ray":
            raise
        raise ConfigurationError(
            'The executor "ray" needs Ray, which is not installed: pip install "poptune[ray]"'
        ) from error
    return ray
