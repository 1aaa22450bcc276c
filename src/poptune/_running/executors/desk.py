"""The desk for workers: who trains what, who waits for a worker, and who is on the way out.

It knows nothing of what a worker is. It is told what the controller orders, what workers say and that they
have ended; it answers with what is to be done. What goes to the controller it lays out, to be collected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from poptune._base.types import TrialId
from poptune._running.executors.room import Room
from poptune._training.protocol import (
    Assignment,
    CodeFailed,
    CodeReturned,
    Idle,
    Lost,
    Message,
    News,
    Order,
    ProceedOrder,
    QuitOrder,
    ReleaseOrder,
    Result,
)


@dataclass(frozen=True, slots=True)
class Hire:
    """Start a worker."""

    key: int


@dataclass(frozen=True, slots=True)
class Tell:
    """Give an order to a worker."""

    key: int
    order: Order


Task = Hire | Tell


@dataclass(slots=True, eq=False)
class _Worker:
    key: int
    assignment: Assignment | None = None
    """What it trains now; None if it is free."""
    left: TrialId | None = None
    """The trial whose code it has left last."""
    trains: bool = False
    leaves: bool = False
    """Whether it is leaving its trial's code, or ending: in a moment it is free, or gone."""
    quits: bool = False

    @property
    def is_free(self) -> bool:
        return self.assignment is None and not self.quits

    @property
    def speaks_for(self) -> TrialId | None:
        return self.assignment.trial if self.assignment else self.left


class Desk:
    """The books on workers.

    An assignment goes to the worker that holds the trial, or else to a free one. While workers are leaving
    their trials' code, as many assignments wait for them, so that no more trials are in memory than may be;
    for those beyond, a worker is hired, if there is room.

    Args:
        room: Where the workers are.
        reuse_workers: Whether a worker that has left a trial's code may train another.
    """

    def __init__(self, room: Room, *, reuse_workers: bool) -> None:
        self._room = room
        self._reuse_workers = reuse_workers
        self._workers: dict[int, _Worker] = {}
        self._holders: dict[TrialId, _Worker] = {}
        self._waiting: list[Assignment] = []
        self._said: list[Message | News] = []
        self._next_key = 0
        self.is_closing = False

    # What the controller orders

    def assign(self, assignment: Assignment) -> Sequence[Task]:
        """Have a trial trained."""
        worker, tasks = self._holders.get(assignment.trial), list[Task]()
        if worker is None:
            worker, tasks = self._find_worker()
        if worker is None:
            self._waiting.append(assignment)
            return tasks
        worker.assignment = assignment
        self._holders[assignment.trial] = worker
        self._note_training(worker, trains=True)
        return [*tasks, Tell(worker.key, assignment)]

    def _find_worker(self) -> tuple[_Worker | None, list[Task]]:
        """Return a worker for one more trial, if it need not wait for one, and how to get that far."""
        free = [worker for worker in self._workers.values() if worker.is_free]
        if (fitting := next((worker for worker in free if self._room.fits(worker.key)), None)) is not None:
            return fitting, []
        dismissed: list[Task] = []
        if free and self._room.has_more():
            dismissed.append(self._dismiss(free[0]))  # another, elsewhere, takes over from it
        if len(self._waiting) < sum(worker.leaves for worker in self._workers.values()):
            return None, dismissed
        if not self._room.enter(self._next_key):
            return None, dismissed
        hired = self._workers[self._next_key] = _Worker(self._next_key)
        self._next_key += 1
        return hired, [*dismissed, Hire(hired.key)]

    def serve(self) -> Sequence[Task]:
        """Look who of those that wait can have a worker now: there may be more room."""
        if not self._waiting:
            return ()
        waiting, self._waiting = self._waiting, []
        return [task for assignment in waiting for task in self.assign(assignment)]

    def proceed(self, order: ProceedOrder) -> Sequence[Task]:
        """Let a trial go on that waits inside its report."""
        if (worker := self._holders.get(order.trial)) is None:
            return ()
        self._note_training(worker, trains=True)
        return (Tell(worker.key, order),)

    def release(self, trial: TrialId) -> Sequence[Task]:
        """Have a trial's code left, and its worker freed."""
        self._waiting = [assignment for assignment in self._waiting if assignment.trial != trial]
        if (worker := self._holders.get(trial)) is None:
            return ()
        self._let_go(worker, trial)
        return (Tell(worker.key, ReleaseOrder(trial=trial)),)

    def close(self) -> Sequence[Task]:
        """Have all code left, and all workers end; none is hired any more."""
        self.is_closing = True
        self._waiting.clear()
        tasks: list[Task] = []
        for worker in self._workers.values():
            if worker.assignment is not None:
                tasks.append(Tell(worker.key, ReleaseOrder(trial=worker.assignment.trial)))
            tasks.append(self._dismiss(worker))
        return tasks

    # What workers say, and what becomes of them

    def hear(self, key: int, message: Message) -> Sequence[Task]:
        """Take in what a worker says.

        Raises:
            msgspec.ValidationError: It is about a trial that the worker does not train.
        """
        worker = self._workers[key]
        tasks: Sequence[Task] = ()
        if message.trial != worker.speaks_for:
            raise msgspec.ValidationError(f"about trial {message.trial!r}, which it does not train")
        match message:
            case Result(stop="", waiting=False):  # first, as almost all messages are
                pass
            case Result(stop=""):
                self._note_training(worker, trains=False)
                tasks = self.serve()
            case Idle():
                return self._become_free(worker, message)
            case Result() | CodeFailed() | CodeReturned():
                self._let_go(worker, message.trial)
            case _:
                pass
        self._said.append(message)
        return tasks

    def _become_free(self, worker: _Worker, idle: Idle) -> Sequence[Task]:
        self._let_go(worker, idle.trial)
        assignment, worker.assignment = worker.assignment, None
        worker.left, worker.leaves = idle.trial, False
        is_over = not (idle.reusable and self._reuse_workers)
        tasks = [self._dismiss(worker)] if is_over else []
        if idle.replace and assignment is not None and not self.is_closing:
            self._waiting.append(assignment)
        return [*tasks, *self.serve()]

    def retire(self, key: int) -> None:
        """Give nothing more to a worker that has ended, while what it has said before is still taken in."""
        self._workers[key].quits = True

    def withdraw(self, key: int) -> None:
        """Take back what a worker was to do that has not come to be, so that another does it in its place."""
        worker = self._workers[key]
        assignment, worker.assignment = worker.assignment, None
        worker.quits = True
        if assignment is not None:
            self._let_go(worker, assignment.trial)
            self._waiting.append(assignment)

    def bury(self, key: int, cause: str) -> Sequence[Task]:
        """A worker is no more: say that its trial has lost it, if it was not about to leave that anyway."""
        worker = self._workers.pop(key)
        self._note_training(worker, trains=False)
        self._room.leave(key)
        if (assignment := worker.assignment) is not None and self._holders.get(assignment.trial) is worker:
            del self._holders[assignment.trial]
            self._said.append(Lost(trial=assignment.trial, reason=cause))
        return self.serve()

    def _let_go(self, worker: _Worker, trial: TrialId) -> None:
        """A worker is about to leave a trial's code: what becomes of the trial is no longer its affair."""
        worker.leaves = True
        self._note_training(worker, trains=False)
        if self._holders.get(trial) is worker:
            del self._holders[trial]

    def _dismiss(self, worker: _Worker) -> Tell:
        worker.leaves = worker.quits = True
        return Tell(worker.key, QuitOrder())

    def _note_training(self, worker: _Worker, *, trains: bool) -> None:
        if worker.trains != trains:
            worker.trains = trains
            self._room.train(worker.key, trains=trains)

    # What is known

    def holder(self, trial: TrialId) -> int | None:
        """Return the worker that holds a trial; None once that is about to leave the trial's code."""
        worker = self._holders.get(trial)
        return None if worker is None else worker.key

    def assignment(self, key: int) -> Assignment | None:
        """Return what a worker trains, or has been told to leave and not left yet."""
        return self._workers[key].assignment

    def speaks_for(self, key: int) -> TrialId | None:
        """Return the trial that what a worker says and prints now is of; None before its first."""
        return self._workers[key].speaks_for

    # For the controller

    def say(self, news: Message | News) -> None:
        """Lay out what no worker says of itself."""
        self._said.append(news)

    @property
    def has_said(self) -> bool:
        """Whether there is something to collect."""
        return bool(self._said)

    def collect(self) -> Sequence[Message | News]:
        """Return what is to go to the controller, in the order in which it came."""
        said, self._said = self._said, []
        return said
