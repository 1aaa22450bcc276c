"""Ray, behind the few things that are needed of it. Nothing else imports it."""

from __future__ import annotations

import functools
import queue
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, RayActorError, RayError
from ray.util.placement_group import placement_group, placement_group_table, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from poptune._running.executors.actors import ActorWorkers
from poptune._running.executors.base import Work
from poptune._running.executors.cluster import CallFailed, ClusterEvent, Greeted, Obeyed, Said, SlotReady
from poptune._running.executors.launching import importable_path
from poptune._running.executors.placement import Node, Strategy
from poptune._running.executors.shipping import ship
from poptune._training import shared
from poptune._training.object_store import StorableParts
from poptune._training.remote_worker import Greeting, Heard, RemoteJob, RemoteWorker
from poptune._training.transfers import Transfer
from poptune.errors import ConfigurationError

_ANSWER_S = 10.0
_CONCURRENT = ("order", "listen", "pack")
"""Methods of an actor that are called while it trains: each has a thread of its own there."""
_LARGEST_SHARE = 0.5
"""How much of an object store one checkpoint on its way may fill."""


def connect(address: str | None) -> None:
    """Connect to a cluster, or start one, unless this program is connected.

    Raises:
        ConfigurationError: There is none at the address, or it does not let this program in.
    """
    if ray.is_initialized():
        return
    try:
        _check_that_somebody_listens(address)
        ray.init(address=address)
    except (OSError, RuntimeError, ValueError, RayError) as error:
        where = "here" if address in {None, "auto"} else f"at {address}"
        raise ConfigurationError(
            f"A Ray cluster must run {where} that this program may join, but Ray says: {error}. Start it "
            "with 'ray start --head', look to its address, its version and its token, or leave it out "
            "to have one started on this machine"
        ) from error


def _check_that_somebody_listens(address: str | None) -> None:
    """Raise ``OSError`` if nobody does, as Ray itself would try for many minutes."""
    host, _, port = (address or "").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), _ANSWER_S).close()


def nodes() -> list[Node]:
    """Return the nodes that are alive."""
    return [Node(node["NodeID"], node["Resources"]) for node in ray.nodes() if node["Alive"]]


class PoptuneWorker(RemoteWorker):
    """The worker as an actor."""

    def __init__(self, job: list[Any]) -> None:
        super().__init__(job[0], ray.get, ray.get_runtime_context().get_node_id())


def open_workers(
    work: Work,
    *,
    bundles: Sequence[Mapping[str, float]],
    slots: int,
    strategy: Strategy,
    runtime_env: dict[str, Any],
    exclusive: bool,
) -> ActorWorkers:
    """Return workers on the cluster that this program is connected to."""
    job = _put_job(work, threads=max(1, int(bundles[0].get("CPU", 1))))
    options: dict[str, Any] = {
        "num_cpus": 0,
        "num_gpus": bundles[0].get("GPU", 0),
        "concurrency_groups": dict.fromkeys(_CONCURRENT, 1),
        "max_restarts": 0,
        "max_task_retries": 0,
    }
    if runtime_env:
        options["runtime_env"] = runtime_env
    cluster = RayCluster(job, bundles=bundles, slots=slots, strategy=strategy, options=options)
    return ActorWorkers(cluster, work, slots=slots, exclusive=exclusive)


def _put_job(work: Work, *, threads: int) -> Any:
    shipment = ship(work.prepared)
    stores = [node.total.get("object_store_memory", 0.0) for node in nodes()]
    return ray.put(
        RemoteJob(
            terms=work.terms,
            trainable=shipment.trainable,
            parameters=_put(shipment.parameters) if shipment.parameters is not None else None,
            objects={path: _put(shared.split(value)) for path, value in shared.own_objects().items()},
            home=ray.get_runtime_context().get_node_id(),
            sys_path=tuple(importable_path()),
            threads=threads,
            transfer_limit_bytes=_LARGEST_SHARE * min(stores, default=0.0),
        )
    )


def _put(parts: shared.Parts) -> Any:
    return ray.put(StorableParts.of(parts))


class RayCluster:
    """See :class:`poptune._running.executors.cluster.Cluster`."""

    def __init__(
        self,
        job: Any,
        *,
        bundles: Sequence[Mapping[str, float]],
        slots: int,
        strategy: Strategy,
        options: dict[str, Any],
    ) -> None:
        self._job = job
        self._actor = ray.remote(**options)(PoptuneWorker)
        self._groups = [placement_group(list(map(dict, bundles)), strategy=strategy) for _ in range(slots)]
        self._handles: dict[int, Any] = {}
        self._happened: queue.SimpleQueue[ClusterEvent] = queue.SimpleQueue()

    def await_slot(self, number: int) -> None:
        self._when_done(self._groups[number].ready(), lambda _: SlotReady(number), lambda _: None)

    def node_of(self, number: int) -> str | None:
        told = placement_group_table(self._groups[number])
        return told["bundles_to_node_id"][0] if told.get("state") == "CREATED" else None

    def start(self, key: int, slot: int) -> None:
        strategy = PlacementGroupSchedulingStrategy(
            self._groups[slot], placement_group_bundle_index=0, placement_group_capture_child_tasks=True
        )
        self._handles[key] = self._actor.options(scheduling_strategy=strategy).remote([self._job])

        def greeted(greeting: Greeting) -> ClusterEvent:
            return Greeted(key, greeting)

        self._when_done(self._handles[key].greet.remote(), greeted, functools.partial(_failure, key, "greet"))

    def begin(self, key: int) -> None:
        ended = self._handles[key].work.remote()
        self._when_done(ended, lambda _: None, functools.partial(_failure, key, "work"))

    def order(self, key: int, number: int, data: bytes, transfer: Transfer | None) -> None:
        arrived = self._concurrent(key, "order").remote(number, data, transfer)
        self._when_done(arrived, lambda _: Obeyed(key, number), functools.partial(_failure, key, "order"))

    def listen(self, key: int, heard: int) -> None:
        def said(words: Heard) -> ClusterEvent:
            return Said(key, words)

        words = self._concurrent(key, "listen").remote(heard)
        self._when_done(words, said, functools.partial(_failure, key, "listen"))

    def pack(self, key: int, path: str) -> Any:
        return self._concurrent(key, "pack").remote(path)

    def _concurrent(self, key: int, method: str) -> Any:
        """Return a method of an actor that has a thread of its own there."""
        return getattr(self._handles[key], method).options(concurrency_group=method)

    def kill(self, key: int) -> None:
        if (handle := self._handles.pop(key, None)) is not None:
            ray.kill(handle)

    def events(self, timeout_s: float) -> Sequence[ClusterEvent]:
        happened: list[ClusterEvent] = []
        try:
            happened.append(self._happened.get(timeout=timeout_s))
            while True:
                happened.append(self._happened.get_nowait())
        except queue.Empty:
            return happened

    def close(self) -> None:
        for key in list(self._handles):
            self.kill(key)
        for group in self._groups:
            remove_placement_group(group)

    def _when_done(
        self,
        reference: Any,
        event: Callable[[Any], ClusterEvent | None],
        failure: Callable[[BaseException], ClusterEvent | None],
    ) -> None:
        """Have it told what comes of a call. Ray calls back in a thread of its own."""

        def tell(future: Future[Any]) -> None:
            error = future.exception()
            happened = event(future.result()) if error is None else failure(error)
            if happened is not None:
                self._happened.put(happened)

        reference.future().add_done_callback(tell)


def _failure(key: int, call: Any, error: BaseException) -> CallFailed:
    """Say what a failed call means."""
    if isinstance(error, ActorUnavailableError):
        return CallFailed(key, call, "unreachable", _in_words(error))
    if isinstance(error, RayActorError):
        kind: Any = "never began" if error.actor_init_failed else "dead"
        return CallFailed(key, call, kind, _in_words(error))
    return CallFailed(key, call, "broken", f"its worker is broken ({_in_words(error)})")


def _in_words(error: BaseException) -> str:
    """Return the last line of what Ray says, which says most, without what it suggests in general."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].split(" Some common causes")[0] if lines else type(error).__name__
