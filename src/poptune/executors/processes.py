"""Runs trials in long-lived worker processes, forked from a launcher that has imported what they need."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from poptune.errors import ConfigurationError, ExecutorError
from poptune.executors.base import Work, available_cores, check_at_least, on_one_machine, working_folder
from poptune.executors.connection import Connection
from poptune.executors.gpus import GpuPool, slots_on_gpus, visible_gpus
from poptune.executors.launching import Launching, importable_path
from poptune.executors.preloading import launching
from poptune.executors.shipping import modules_used, ship
from poptune.runtime.protocol import (
    Assignment,
    CodeFailed,
    CodeReturned,
    Idle,
    Lost,
    Message,
    Order,
    Output,
    ProceedOrder,
    QuitOrder,
    ReleaseOrder,
    Result,
)
from poptune.runtime.shared import discard, store
from poptune.runtime.worker import Job
from poptune.types import TrialId

_LOOK_S = 0.05
"""How long what a worker has said without calling may lie unseen."""
_EXPERIMENT_ENDED = "the experiment has ended"


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
        return ProcessWorkers(self, work)


@dataclass(slots=True, eq=False)
class _Worker:
    """One worker process, and what it is doing."""

    key: int
    connection: Connection
    devices: list[str]
    assignment: Assignment | None = None
    """What it trains now; ``None`` if it is free."""
    said_for: TrialId | None = None
    """The trial that its latest output is of."""
    pid: int | None = None
    leaves: bool = False
    """Whether it is leaving its trial's code, or ending: in a moment it is free, or gone."""
    quits: bool = False
    killed_for: str = ""
    """Why it was ended by us."""

    @property
    def is_free(self) -> bool:
        return self.assignment is None and not self.quits

    @property
    def speaks_for(self) -> TrialId | None:
        """The trial that what it prints is of."""
        return self.assignment.trial if self.assignment else self.said_for


class ProcessWorkers:
    """The running worker processes of an experiment."""

    def __init__(self, options: ProcessExecutor, work: Work) -> None:
        shipment = ship(work.prepared)
        self._work = work
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
            options.preload if options.preload is not None else modules_used(work.prepared, shipment),
            fork=options.fork,
            must_import=options.preload is not None,
        )
        for source in self._launching.sources:
            self._selector.register(source, selectors.EVENT_READ, self._launching)
        self._gpus = GpuPool(work.terms.resources.get("gpu", 0.0), visible_gpus())
        self._workers: dict[int, _Worker] = {}
        self._holder: dict[TrialId, _Worker] = {}
        self._queue: list[Assignment] = []
        """Assignments for the workers that are leaving, so that no more trials are in memory than may be."""
        self._messages: list[Message] = []
        self._next_key = 0
        self._closing = False

    # Orders

    def assign(self, assignment: Assignment) -> None:
        worker = self._holder.get(assignment.trial) or self._free_worker()
        if worker is None and len(self._queue) < sum(worker.leaves for worker in self._workers.values()):
            self._queue.append(assignment)
            return
        worker = worker or self._launch()
        worker.assignment = assignment
        self._holder[assignment.trial] = worker
        self._order(worker, assignment)

    def proceed(self, order: ProceedOrder) -> None:
        if (worker := self._holder.get(order.trial)) is not None:
            self._order(worker, order)

    def release(self, trial: TrialId) -> None:
        self._queue = [assignment for assignment in self._queue if assignment.trial != trial]
        if (worker := self._holder.get(trial)) is not None:
            self._let_go(worker, trial)
            self._order(worker, ReleaseOrder(trial=trial))

    def kill(self, trial: TrialId, reason: str) -> None:
        if (worker := self._holder.get(trial)) is not None:
            self._end_worker(worker, reason)

    def _end_worker(self, worker: _Worker, reason: str) -> None:
        """Have a worker end at once, or as soon as its process is known; its trial is then lost."""
        worker.killed_for = reason
        if worker.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)

    def _let_go(self, worker: _Worker, trial: TrialId) -> None:
        """A worker is about to leave a trial's code: what becomes of the trial is no longer its affair."""
        worker.leaves = True
        if self._holder.get(trial) is worker:
            del self._holder[trial]

    def _free_worker(self) -> _Worker | None:
        return next((worker for worker in self._workers.values() if worker.is_free), None)

    def _serve_queue(self) -> None:
        queue, self._queue = self._queue, []
        for assignment in queue:
            self.assign(assignment)

    def _order(self, worker: _Worker, order: Order) -> None:
        worker.connection.order(order)
        self._flush(worker)

    def _flush(self, worker: _Worker) -> None:
        events = worker.connection.flush()
        with contextlib.suppress(KeyError):
            self._selector.modify(worker.connection.line, events, worker)

    def _launch(self) -> _Worker:
        devices = self._gpus.take()
        environment = {"CUDA_VISIBLE_DEVICES": ",".join(devices)} if devices else {}
        worker = _Worker(self._next_key, Connection(self._job), devices)
        self._next_key += 1
        self._workers[worker.key] = worker
        self._selector.register(worker.connection.line, selectors.EVENT_READ, worker)
        for name, descriptor in worker.connection.outputs.items():
            self._selector.register(descriptor, selectors.EVENT_READ, (worker, name))
        try:
            self._launching.launch(worker.key, environment, worker.connection.their_descriptors)
        finally:
            worker.connection.let_go_of_theirs()
        self._flush(worker)
        return worker

    # Messages

    def poll(self, timeout_s: float) -> Sequence[Message]:
        if not self._messages and not self._closing:
            self._attend(timeout_s)
        messages, self._messages = self._messages, []
        return messages

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
        try:
            for message in worker.connection.messages(data):
                if message.trial != worker.speaks_for:
                    raise msgspec.ValidationError(f"about trial {message.trial!r}, which it does not train")
                self._take_message(worker, message)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
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

    def _take_message(self, worker: _Worker, message: Message) -> None:
        match message:
            case Result(stop=""):  # first, as almost all messages are
                pass
            case Idle():
                self._become_free(worker, message)
                return
            case Result(trial=trial) | CodeFailed(trial=trial) | CodeReturned(trial=trial):
                self._let_go(worker, trial)
            case _:
                pass
        self._messages.append(message)

    def _become_free(self, worker: _Worker, idle: Idle) -> None:
        self._let_go(worker, idle.trial)
        self._finish_lines(worker)
        assignment, worker.assignment = worker.assignment, None
        worker.said_for = idle.trial
        worker.leaves = False
        if not (idle.reusable and self._work.reuse_workers):
            self._dismiss(worker)
        if self._closing:
            return
        if idle.replace and assignment is not None:
            self._queue.append(assignment)
        self._serve_queue()

    def _dismiss(self, worker: _Worker) -> None:
        worker.leaves = worker.quits = True
        self._order(worker, QuitOrder())

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
        if (trial := worker.speaks_for) is not None:
            self._messages.extend(Output(trial=trial, stream=stream, line=line) for line in lines)

    def _bury(self, worker: _Worker, cause: str) -> None:
        """A worker has ended: read what it still said, then say that its trial has lost it."""
        worker.quits = True
        while self._look(worker):
            pass
        connection = worker.connection
        for stream in connection.outputs:
            self._read_output(worker, stream)
        self._finish_lines(worker)
        sources: list[socket.socket | int] = [connection.line, *connection.outputs.values()]
        for source in sources:
            with contextlib.suppress(KeyError):
                self._selector.unregister(source)
        connection.close()
        self._gpus.give_back(worker.devices)
        self._workers.pop(worker.key, None)
        if worker.assignment is not None and self._holder.get(worker.assignment.trial) is worker:
            self._let_go(worker, worker.assignment.trial)
            self._messages.append(Lost(trial=worker.assignment.trial, reason=worker.killed_for or cause))
        self._serve_queue()

    # The end

    def close(self, grace_s: float) -> None:
        self._closing = True
        self._queue.clear()
        try:
            self._wait_for_all(grace_s)
        except ExecutorError:
            pass  # the launcher is gone, and its workers with it
        finally:
            self._end_at_once()

    def _wait_for_all(self, grace_s: float) -> None:
        deadline = time.monotonic() + grace_s
        for worker in self._workers.values():
            if worker.assignment is not None:
                self._order(worker, ReleaseOrder(trial=worker.assignment.trial))
            self._dismiss(worker)
        while self._workers and (left := deadline - time.monotonic()) > 0:
            self._attend(left)

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
