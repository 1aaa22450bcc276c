"""What joins the controller to one worker process: a line for orders, a ring for messages, its output."""

from __future__ import annotations

import os
import selectors
import socket
from collections.abc import Iterator

import msgspec

from poptune._training.printed_lines import Lines
from poptune._training.protocol import Message, Order
from poptune._training.ring import Ring, create
from poptune._training.wire import Inbox, framed

_CALLS_BYTES = 4096
_PIPE_BYTES = 65536
"""What a pipe can hold, so that one read takes all."""
_encode = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


class Connection:
    """The controller's ends. Nothing here ever waits for the worker.

    Args:
        first: The body of the first frame, with which the worker is given its end of the ring.
    """

    def __init__(self, first: bytes) -> None:
        self.line, self._their_line = socket.socketpair()
        self.line.setblocking(False)
        self.outputs: dict[str, int] = {}
        self._their_outputs: list[int] = []
        for name in ("stdout", "stderr"):
            self.outputs[name], theirs = os.pipe()
            os.set_blocking(self.outputs[name], False)
            self._their_outputs.append(theirs)
        self._lines = {name: Lines() for name in self.outputs}
        self._inbox = Inbox()
        self._ring = self._hand_over_ring(frame := framed(first))
        self._outbox = bytearray(frame[1:])

    def _hand_over_ring(self, frame: bytes) -> Ring:
        """Make the ring, and send its descriptor along with the first byte."""
        descriptor = create()
        try:
            socket.send_fds(self.line, [frame[:1]], [descriptor])
            return Ring(descriptor)
        finally:
            os.close(descriptor)

    @property
    def their_descriptors(self) -> tuple[int, ...]:
        """The worker's ends of line, stdout and stderr."""
        return (self._their_line.fileno(), *self._their_outputs)

    @property
    def sources(self) -> list[socket.socket | int]:
        """What becomes readable when there is something to hear or to read."""
        return [self.line, *self.outputs.values()]

    def let_go_of_theirs(self) -> None:
        """Close the worker's ends here, once it has them."""
        self._their_line.close()
        for descriptor in self._their_outputs:
            os.close(descriptor)

    def order(self, order: Order) -> None:
        """Have an order sent, after those before it."""
        self._ring.announce_order()
        self._outbox += framed(_encode(order))

    def flush(self) -> int:
        """Write what fits into the line, and return the selector's events to wait for."""
        try:
            while self._outbox:
                del self._outbox[: self.line.send(self._outbox)]
        except BlockingIOError:
            return selectors.EVENT_READ | selectors.EVENT_WRITE
        except OSError:
            self._outbox.clear()  # the worker is dead; the launcher will say so
        return selectors.EVENT_READ

    def was_called(self) -> bool:
        """Take in the worker's calls; False if it has closed the line."""
        try:
            return bool(self.line.recv(_CALLS_BYTES))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def receive(self) -> bytes:
        """Return all that the worker has written into the ring since this was last asked."""
        return self._ring.read()

    def messages(self, data: bytes) -> Iterator[Message]:
        """Cut what was received into messages; the beginning of one is kept for the next time."""
        return map(_decoder.decode, self._inbox.add(data))

    def printed(self, stream: str) -> list[str] | None:
        """Return all whole lines that were printed lately; ``None`` at the end of the stream."""
        try:
            data = os.read(self.outputs[stream], _PIPE_BYTES)
        except BlockingIOError:
            return []
        return self._lines[stream].add(data) if data else None

    def unfinished(self, stream: str) -> list[str]:
        """Return what was printed without a line's end, as a line."""
        return self._lines[stream].finish()

    def close(self) -> None:
        """Let go of everything."""
        self.line.close()
        self._ring.close()
        for descriptor in self.outputs.values():
            os.close(descriptor)
