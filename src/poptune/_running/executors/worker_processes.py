"""The running worker processes of an experiment, forked from a launcher that has imported what they need."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from poptune._base.types import TrialId
from poptune._running.executors.base import Work, available_cores, working_folder
from poptune._running.executors.connection import Connection
from poptune._running.executors.desk import Desk, Hire, Task, Tell
from poptune._running.executors.gpus import GpuPool, visible_gpus
from poptune._running.executors.launching import Launching, importable_path
from poptune._running.executors.preloading import launching
from poptune._running.executors.room import Boundless
from poptune._running.executors.shipping import modules_used, ship
from poptune._training.protocol import Assignment, Idle, Message, News, Output, ProceedOrder
from poptune._training.shared import discard, store
from poptune._training.worker import Job
from poptune.errors import ExecutorError

_LOOK_S = 0.05
"""How long what a worker has said without calling may lie unseen."""
_EXPERIMENT_ENDED = "the experiment has ended"


@dataclass(slots=True, eq=False)
class _Worker:
    """One worker process."""

    key: int
    connection: Connection
    devices: list[str]
    pid: int | None = None
    killed_for: str = ""
    """Why it was ended by us."""
    makes_sense: bool = True
    """Whether what it says counts: after nonsense nothing does, since something was lost with it."""


class ProcessWorkers:
    """Long-lived worker processes, of which each trains one trial after another.

    Args:
        work: What they do.
        preload: Modules to import before forking; None leaves it to what the trainable uses.
        fork: Whether they are forked, where that is safe.
    """

    def __init__(self, work: Work, *, preload: Sequence[str] | None, fork: bool) -> None:
        shipment = ship(work.prepared)
        self._parameters = store(shipment.parameters) if shipment.parameters is not None else ""
        self._job = msgspec.msgpack.encode(
            Job(
                terms=work.terms,
                trainable=shipment.trainable,
                parameters=self._parameters,
                sys_path=importable_path(),
                working_folder=working_folder(),
            )
        )
        self._selector = selectors.DefaultSelector()
        self._launching = launching(threads=max(1, available_cores() // work.slots))
        self._launching.preload(
            preload if preload is not None else modules_used(work.prepared, shipment),
            fork=fork,
            must_import=preload is not None,
        )
        for source in self._launching.sources:
            self._selector.register(source, selectors.EVENT_READ, self._launching)
        self._gpus = GpuPool(work.terms.resources.get("gpu", 0.0), visible_gpus())
        self._workers: dict[int, _Worker] = {}
        self._desk = Desk(Boundless(), reuse_workers=work.reuse_workers)

    # Orders

    def assign(self, assignment: Assignment) -> None:
        self._carry_out(self._desk.assign(assignment))

    def proceed(self, order: ProceedOrder) -> None:
        self._carry_out(self._desk.proceed(order))

    def release(self, trial: TrialId) -> None:
        self._carry_out(self._desk.release(trial))

    def kill(self, trial: TrialId, reason: str) -> None:
        if (key := self._desk.holder(trial)) is not None:
            self._end_worker(self._workers[key], reason)

    def _end_worker(self, worker: _Worker, reason: str) -> None:
        """Have a worker end at once, or as soon as its process is known; its trial is then lost."""
        worker.killed_for = reason
        if worker.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)

    def _carry_out(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            match task:
                case Hire(key):
                    self._launch(key)
                case Tell(key, order) if key in self._workers:  # unless it could not be launched
                    self._workers[key].connection.order(order)
                    self._flush(self._workers[key])

    def _flush(self, worker: _Worker) -> None:
        events = worker.connection.flush()
        with contextlib.suppress(KeyError):
            self._selector.modify(worker.connection.line, events, worker)

    def _launch(self, key: int) -> None:
        devices = self._gpus.take()
        environment = {"CUDA_VISIBLE_DEVICES": ",".join(devices)} if devices else {}
        worker = _Worker(key, Connection(self._job), devices)
        self._workers[key] = worker
        self._selector.register(worker.connection.line, selectors.EVENT_READ, worker)
        for name, descriptor in worker.connection.outputs.items():
            self._selector.register(descriptor, selectors.EVENT_READ, (worker, name))
        try:
            self._launching.launch(worker.key, environment, worker.connection.their_descriptors)
        finally:
            worker.connection.let_go_of_theirs()
        self._flush(worker)

    # Messages

    def poll(self, timeout_s: float) -> Sequence[Message | News]:
        if not self._desk.has_said and not self._desk.is_closing:
            self._attend(timeout_s)
        return self._desk.collect()

    def _attend(self, timeout_s: float) -> None:
        """Wait to be called, and look into all rings: first into those of the workers that did not call.

        So what a worker said before another one called is known when that call is answered.
        """
        callers: set[_Worker] = set()
        for key, events in self._selector.select(min(timeout_s, _LOOK_S)):
            match key.data:
                case Launching():
                    self._hear_launcher()
                case _Worker() as worker:
                    if events & selectors.EVENT_WRITE:
                        self._flush(worker)
                    if events & selectors.EVENT_READ:
                        callers.add(worker)
                case (_Worker() as worker, str() as stream):
                    self._read_output(worker, stream)
        for worker in callers:
            self._answer_call(worker)
        for worker in sorted(self._workers.values(), key=callers.__contains__):
            self._look(worker)

    def _answer_call(self, worker: _Worker) -> None:
        if worker.key in self._workers and not worker.connection.was_called():
            with contextlib.suppress(KeyError):
                self._selector.unregister(worker.connection.line)

    def _look(self, worker: _Worker) -> bool:
        """Take in what a worker has said; return whether it had said anything.

        What it had printed before is taken in first, so that it is known which trial has printed it.
        """
        if worker.key not in self._workers or not (data := worker.connection.receive()):
            return False
        for stream in worker.connection.outputs:
            self._read_output(worker, stream)
        if not worker.makes_sense:
            return True
        try:
            for message in worker.connection.messages(data):
                if isinstance(message, Idle):
                    self._finish_lines(worker)
                self._carry_out(self._desk.hear(worker.key, message))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            worker.makes_sense = False
            self._end_worker(worker, f"its worker process said what is no message of a worker ({error})")
            return False
        return True

    def _hear_launcher(self) -> None:
        for event in self._launching.hear():
            worker = self._workers.get(event.key)
            if worker is None:
                continue
            if event.pid is not None:
                worker.pid = event.pid
                if worker.killed_for:
                    self._end_worker(worker, worker.killed_for)
            else:
                self._bury(worker, event.cause)

    def _read_output(self, worker: _Worker, stream: str) -> None:
        """Take in what a worker has printed."""
        if worker.key not in self._workers:
            return
        lines = worker.connection.printed(stream)
        if lines is None:
            with contextlib.suppress(KeyError):
                self._selector.unregister(worker.connection.outputs[stream])
        else:
            self._repeat(worker, lines, stream)

    def _finish_lines(self, worker: _Worker) -> None:
        for stream in worker.connection.outputs:
            self._repeat(worker, worker.connection.unfinished(stream), stream)

    def _repeat(self, worker: _Worker, lines: Sequence[str], stream: str) -> None:
        if (trial := self._desk.speaks_for(worker.key)) is not None:
            for line in lines:
                self._desk.say(Output(trial=trial, stream=stream, line=line))

    def _bury(self, worker: _Worker, cause: str) -> None:
        """A worker has ended: read what it still said, then say that its trial has lost it."""
        self._desk.retire(worker.key)
        while self._look(worker):
            pass
        for stream in worker.connection.outputs:
            self._read_output(worker, stream)
        self._finish_lines(worker)
        for source in worker.connection.sources:
            with contextlib.suppress(KeyError):
                self._selector.unregister(source)
        worker.connection.close()
        self._gpus.give_back(worker.devices)
        del self._workers[worker.key]
        self._carry_out(self._desk.bury(worker.key, worker.killed_for or cause))

    # The end

    def close(self, grace_s: float) -> None:
        tasks = self._desk.close()
        try:
            self._carry_out(tasks)
            self._wait_for_all(time.monotonic() + grace_s)
        except ExecutorError:
            pass  # the launcher is gone, and its workers with it
        finally:
            self._end_at_once()

    def _wait_for_all(self, deadline_s: float) -> None:
        while self._workers and (left_s := deadline_s - time.monotonic()) > 0:
            self._attend(left_s)

    def _end_at_once(self) -> None:
        """Kill whoever is left, and let go of everything."""
        for worker in self._workers.values():
            self._end_worker(worker, _EXPERIMENT_ENDED)
        self._launching.close(at_once=bool(self._workers))
        for worker in list(self._workers.values()):
            self._bury(worker, _EXPERIMENT_ENDED)
        self._selector.close()
        if self._parameters:
            discard(self._parameters)
