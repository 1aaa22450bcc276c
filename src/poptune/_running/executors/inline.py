"""Runs a whole experiment in the caller's process, one trial at a time: for tests, debuggers, notebooks.

Each trial has a thread, but only one thread of them all ever runs: it is given the turn, and gives it back
at each report. So a run is as deterministic as its training code, and a breakpoint stops everything.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from poptune._base.attempts import attempt
from poptune._base.types import TrialId
from poptune._keeping.checkpoints import CheckpointStore
from poptune._keeping.storage import open_store
from poptune._running.executors.base import Work, check_at_least, on_one_machine, working_folder
from poptune._training import current
from poptune._training.protocol import (
    Assignment,
    Idle,
    Message,
    Order,
    ProceedOrder,
    ReleaseOrder,
    Result,
)
from poptune._training.running import run_trial
from poptune._training.seeding import generator_states, restore_generators
from poptune._training.session import Reassigned, Session
from poptune._training.worker import cannot_begin


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineExecutor:
    """Run every trial in the caller's process, taking turns at each report.

    What trials print goes where the program prints; they begin in the caller's working directory, and one
    that changes it changes its own only; GPUs are not handed out.

    Args:
        slots: How many trials are under way at once. They take turns, so that more is not faster; the
            default of 1 is the easiest to follow in a debugger.
        max_resident_trials: How many trials may be held in memory; the default is all.

    Example:
        >>> import poptune as tune
        >>> run_config = tune.RunConfig(executor=tune.InlineExecutor(slots=2))
    """

    slots: int = 1
    max_resident_trials: int | None = None

    def __post_init__(self) -> None:
        check_at_least("slots", self.slots)
        check_at_least("max_resident_trials", self.max_resident_trials)

    def count_slots(self, bundles: Sequence[Mapping[str, float]]) -> int:
        on_one_machine(bundles)
        return self.slots

    def open(self, work: Work) -> InlineWorkers:
        return InlineWorkers(work)


class InlineWorkers:
    """The threads of the trials, and whose turn it is."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._store = open_store(Path(work.terms.experiment_path), work.terms.remote)
        self._seats: dict[TrialId, _Seat] = {}
        self._line: deque[_Seat] = deque()
        self._messages: list[Message] = []

    def assign(self, assignment: Assignment) -> None:
        seat = self._seats.get(assignment.trial)
        if seat is not None and seat.is_busy:
            seat.orders.append(assignment)
        else:
            self._sit(assignment)

    def _sit(self, assignment: Assignment) -> None:
        seat = attempt(  # to open a config runs the user's code
            lambda: _Seat(self._work, assignment, self._store, self._messages),
            or_else=lambda error: self._messages.append(cannot_begin(assignment, error)),
        )
        if seat is not None:
            self._seats[assignment.trial] = seat
            self._line.append(seat)

    def proceed(self, order: ProceedOrder) -> None:
        if (seat := self._seats.get(order.trial)) is not None:
            seat.orders.append(order)

    def release(self, trial: TrialId) -> None:
        if (seat := self._seats.get(trial)) is not None:
            seat.orders.append(ReleaseOrder(trial=trial))

    def kill(self, trial: TrialId, reason: str) -> None:
        """Do nothing: nobody can end a thread."""

    def poll(self, timeout_s: float) -> Sequence[Message]:
        """Give the turn to the next trial that can use it, until its next report."""
        del timeout_s
        for _ in range(len(self._line)):
            seat = self._line.popleft()
            if seat.can_go:
                seat.take_turn()
            if seat.is_busy:
                self._line.append(seat)
            elif seat.successor is not None:
                self._sit(seat.successor)
            if self._messages:
                break
        messages, self._messages[:] = list(self._messages), []
        return messages

    def close(self, grace_s: float) -> None:
        """Leave the code of all trials; one that does not let itself be left stays behind, suspended."""
        del grace_s
        for seat in self._line:
            for _ in range(3):
                if seat.is_busy and seat.has_begun:
                    seat.orders.append(ReleaseOrder(trial=seat.trial))
                    seat.take_turn()
        self._line.clear()


class _Seat:
    """One trial's thread. It is the thread's channel, too: sending a result gives the turn back."""

    def __init__(
        self,
        work: Work,
        assignment: Assignment,
        store: CheckpointStore,
        messages: list[Message],
    ) -> None:
        self.trial = assignment.trial
        self.orders: deque[Order] = deque()
        self.is_busy = True
        self.successor: Assignment | None = None
        """What the trial is to do next, in another thread, because its code cannot go on in this one."""
        self._messages = messages
        self._waits = False
        self._generators: dict[str, Any] | None = None
        """The states of the global random numbers, as the trial has left them."""
        self._folder = ""
        """Where the trial works."""
        self._mine = threading.Semaphore(0)
        self._theirs = threading.Semaphore(0)
        self._session = Session(self, work.terms, assignment, store)
        self._session.folder.mkdir(parents=True, exist_ok=True)
        self._prepared = work.prepared
        self._thread = threading.Thread(target=self._run, name=f"poptune-{assignment.tag}", daemon=True)

    @property
    def can_go(self) -> bool:
        """Whether the trial has something to do: it does not wait, or what it waits for has come."""
        return self.is_busy and (bool(self.orders) or not self._waits)

    @property
    def has_begun(self) -> bool:
        """Whether the trial's code has been entered."""
        return self._thread.ident is not None

    def take_turn(self) -> None:
        """Let the trial run until it gives the turn back, with random numbers and a folder of its own."""
        callers_session = current.running()  # a trial may run an experiment of its own
        current.enter(self._session)
        callers, callers_folder = generator_states(), working_folder()
        if self._generators is not None:
            restore_generators(self._generators)
            _work_in(self._folder)
        if self.has_begun:
            self._mine.release()
        else:
            self._thread.start()
        self._theirs.acquire()
        self._generators, self._folder = generator_states(), working_folder()
        restore_generators(callers)
        _work_in(callers_folder)
        current.enter(callers_session)

    def _run(self) -> None:
        try:
            run_trial(self._prepared, self._session, self)
        finally:
            self.is_busy = False
            self._theirs.release()

    def send(self, message: Message) -> None:
        if isinstance(message, Idle):
            self._note_successor(message)
            return
        self._messages.append(message)
        if isinstance(message, Result):
            self._give_turn()

    def _note_successor(self, idle: Idle) -> None:
        unwinding = self._session.unwinding
        if idle.replace and isinstance(unwinding, Reassigned):
            self.successor = unwinding.assignment

    def receive(self) -> Order:
        self._waits = True
        while not self.orders:
            self._give_turn()
        self._waits = False
        return self.orders.popleft()

    def poll(self) -> Order | None:
        return self.orders.popleft() if self.orders else None

    def abandon(self, idle: Idle) -> NoReturn:
        """Nobody can end a thread: this one is left where it is, for ever."""
        self._note_successor(idle)
        self.is_busy = False
        self._theirs.release()
        while True:
            self._mine.acquire()

    def _give_turn(self) -> None:
        self._theirs.release()
        self._mine.acquire()


def _work_in(folder: str) -> None:
    with suppress(OSError):  # whoever is in a folder that is gone finds out as in a plain program
        os.chdir(folder)
