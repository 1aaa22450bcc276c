"""A worker's end of a line over calls: orders are put in, and what there is to say is fetched in batches.

Who fetches waits inside the call: until something is said that cannot wait, or for a moment longer than the
first word. So a worker that says nothing costs no call, and one that reports a thousand times a second
costs twenty. Calls may fail without telling whether they were carried out. So both ways are numbered: an
order is obeyed once however often it comes, and a batch is handed over until the next one is asked for.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import NoReturn

import msgspec

from poptune._base.types import TrialId
from poptune._training.captured_output import Captured
from poptune._training.protocol import Assignment, Idle, Message, Order, Output, Result, SaveOrder
from poptune._training.wire import framed
from poptune._training.worker import flush_streams

CAPACITY_BYTES = 1 << 20
"""Whoever has said so much that nobody has fetched must wait."""
_LOOK_S = 0.05
"""How long what can wait may lie unfetched."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What was fetched at once."""

    number: int
    frames: bytes
    """Messages, each with its length before it."""
    leaves: bool = False
    """Whether this worker was warned that it will be ended, and has done what it could."""
    is_last: bool = False
    """Whether this worker has quit."""


class Mailbox:
    """The worker's channel, and the counter behind which others fetch and deliver.

    Args:
        captured: What the process prints; None leaves its output alone.
    """

    def __init__(self, captured: Captured | None = None) -> None:
        self._captured = captured
        self._changed = threading.Condition()
        self._encode = msgspec.msgpack.Encoder().encode
        self._decoder: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)
        self._orders: deque[Order] = deque()
        self._early: dict[int, Order] = {}
        """Orders that have overtaken others."""
        self._orders_taken = 0
        self._printed: list[bytes] = []
        self._said: list[bytes] = []
        self._bytes = 0
        self._cannot_wait = False
        self._batch = Batch(0, b"")
        self._trial: TrialId | None = None
        """The trial that what is printed is of."""
        self._trains = False
        self._warned = self._leaves = self._is_over = False
        if captured is not None:
            threading.Thread(target=self._hear_prints, name="poptune-prints", daemon=True).start()

    # For the training code

    def send(self, message: Message) -> None:
        if isinstance(message, Idle):
            flush_streams()
        can_wait = isinstance(message, Result) and not (message.waiting or message.stop)
        data = framed(self._encode(message))
        with self._changed:
            while self._bytes > CAPACITY_BYTES:
                self._changed.wait()
            if isinstance(message, Idle):
                self._finish_printed()
            self._said.append(data)
            self._bytes += len(data)
            self._trains = can_wait
            self._cannot_wait |= not can_wait or self._bytes > CAPACITY_BYTES // 2
            if self._warned and isinstance(message, Result) and message.checkpoint is not None:
                self._leaves = True
            if self._cannot_wait or len(self._said) == 1 or self._leaves:
                self._changed.notify_all()

    def receive(self) -> Order:
        with self._changed:
            while not self._orders:
                self._changed.wait()
            return self._take()

    def poll(self) -> Order | None:
        if not self._orders:
            return None
        with self._changed:
            return self._take()

    def _take(self) -> Order:
        order = self._orders.popleft()
        if isinstance(order, Assignment):
            self._read_printed()  # what nobody's trial has printed is not this one's
            self._trial = order.trial
        self._trains = True
        return order

    def abandon(self, idle: Idle) -> NoReturn:
        """Say so, and wait here to be ended from outside."""
        self.send(idle)
        while True:
            threading.Event().wait()

    # For the controller

    def deliver(self, number: int, data: bytes) -> None:
        """Take in an order.

        Args:
            number: Counts the orders from 1.
            data: The order.
        """
        order = self._decoder.decode(data)
        with self._changed:
            if number <= self._orders_taken:
                return
            self._early[number] = order
            while (early := self._early.pop(self._orders_taken + 1, None)) is not None:
                self._orders_taken += 1
                self._orders.append(early)
            self._changed.notify_all()

    def fetch(self, heard: int) -> Batch:
        """Wait for the next batch, and return it.

        Args:
            heard: The number of the last one that has arrived.
        """
        with self._changed:
            if heard == self._batch.number:
                self._batch = self._next_batch()
                self._changed.notify_all()
            return self._batch

    def _next_batch(self) -> Batch:
        self._changed.wait_for(lambda: self._said or self._printed or self._leaves or self._is_over)
        self._changed.wait_for(lambda: self._cannot_wait or self._leaves or self._is_over, _LOOK_S)
        self._read_printed()
        frames = b"".join([*self._printed, *self._said])
        self._printed.clear()
        self._said.clear()
        self._bytes, self._cannot_wait = 0, False
        return Batch(self._batch.number + 1, frames, self._leaves, self._is_over)

    def leave(self, grace_s: float) -> None:
        """The process will be ended: have the state saved, if within this time it can be, and say so."""
        with self._changed:
            self._warned = True
            if self._trial is not None and self._trains:
                self._orders.append(SaveOrder(trial=self._trial))
                self._changed.wait_for(lambda: self._leaves, grace_s)
            self._leaves = True
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing more will be said."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    # Output

    def _hear_prints(self) -> None:
        assert self._captured is not None
        while True:
            self._captured.wait()
            with self._changed:
                while self._bytes > CAPACITY_BYTES:
                    self._changed.wait()
                self._read_printed()
                self._changed.notify_all()

    def _read_printed(self) -> None:
        if self._captured is not None:
            self._put_printed(self._captured.read())

    def _finish_printed(self) -> None:
        """Give the trial that is being left all that it has printed; what comes later is another's."""
        if self._captured is not None:
            self._put_printed(self._captured.finish())
        self._trial = None

    def _put_printed(self, lines: list[tuple[str, str]]) -> None:
        for stream, line in lines if self._trial is not None else ():
            assert self._trial is not None
            data = framed(self._encode(Output(trial=self._trial, stream=stream, line=line)))
            self._printed.append(data)
            self._bytes += len(data)
