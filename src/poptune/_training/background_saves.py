"""Writes checkpoints while the training goes on, and says so only when they are there.

A result that names a checkpoint must not be known before the checkpoint exists, nor a later result before an
earlier one. So whatever is to be said while something is being written waits in line behind it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import NoReturn

from poptune._base.attempts import attempt
from poptune._keeping.checkpoints import Checkpoint
from poptune._training.protocol import Channel, Idle, Message, Order, Result
from poptune._training.session import States


class BackgroundSaves:
    """A channel and a store in one: what is saved and said through it keeps its order.

    Args:
        channel: The worker's line to the controller.
        store: Where the checkpoints go.
    """

    def __init__(self, channel: Channel, store: States) -> None:
        self._channel = channel
        self._store = store
        self._line: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._pending = 0
        self._changed = threading.Condition()
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None

    def save(self, checkpoint: Checkpoint, *, folder: str, number: int) -> None:
        """Have a checkpoint written soon; its state may change as soon as this has returned.

        Raises:
            CheckpointError: It cannot be saved, or one before it could not be written.
        """
        detached = checkpoint.detached()
        if detached is checkpoint:  # files of the user's, who may remove them
            self.finish()
            self._store.save(checkpoint, folder=folder, number=number)
            return
        if self._error is not None:
            self.finish()
        self._put(lambda: self._store.save(detached, folder=folder, number=number))

    def open(self, relative_path: str, *, trusted: bool = False) -> Checkpoint:
        """Open a checkpoint that a decision has named, and that is written for that reason."""
        return self._store.open(relative_path, trusted=trusted)

    def send(self, message: Message) -> None:
        """Say something when all that was saved before is written; wait for that if an answer is to come."""
        can_wait = isinstance(message, Result) and not (message.waiting or message.stop)
        if can_wait and self._pending:
            self._put(lambda: self._channel.send(message))
            return
        if isinstance(message, Result):
            self.finish()
        else:
            self._wait()
        self._channel.send(message)

    def finish(self) -> None:
        """Wait until all is written and said.

        Raises:
            CheckpointError: A checkpoint could not be written; what should have been said after it was not.
        """
        self._wait()
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _wait(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._pending)

    def _put(self, act: Callable[[], object]) -> None:
        with self._changed:
            self._pending += 1
        self._line.put(act)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="poptune-saves", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while True:
            act = self._line.get()
            if self._error is None:
                attempt(act, or_else=self._keep)
            with self._changed:
                self._pending -= 1
                self._changed.notify()

    def _keep(self, error: Exception) -> None:
        """Keep an error until it can be raised where the training code sees it."""
        self._error = error

    def receive(self) -> Order:
        return self._channel.receive()

    def poll(self) -> Order | None:
        return self._channel.poll()

    def abandon(self, idle: Idle) -> NoReturn:
        self._wait()
        self._channel.abandon(idle)
