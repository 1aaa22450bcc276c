"""A pipe in shared memory: bytes go from one process to another, in order, without a system call.

A worker that reports a thousand times a second must not wake the controller a thousand times: it writes here,
and the controller looks in when it likes, or when it is called by other means.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import platform
import tempfile
import threading

CAPACITY_BYTES = 1 << 20
_WRITTEN, _READ, _ORDERS = 0, 8, 16
"""Where the counters stand, in units of 8 bytes: each in a cache line of its own."""
_HEADER_BYTES = 256
_KEEPS_ORDER = platform.machine() in {"x86_64", "AMD64", "i686"}
"""Whether others see what a process has written in the order in which it has written it."""


def create() -> int:
    """Return a descriptor of fresh memory for a ring; it is gone when nobody has it open any more."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("poptune-ring")
    else:
        with tempfile.TemporaryFile(prefix="poptune-ring-") as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, _HEADER_BYTES + CAPACITY_BYTES)
    return descriptor


class Ring:
    """One end of the pipe: a single process writes, and a single one reads.

    Both ends count their bytes for ever; what was written but not yet read lies between the two counts. The
    reader's end has one more counter, for orders that it has sent by other means, so that the writer can see
    without a system call that there is something to receive.

    Args:
        descriptor: What :func:`create` has returned; it may be closed afterwards.
    """

    def __init__(self, descriptor: int) -> None:
        self._map = mmap.mmap(descriptor, _HEADER_BYTES + CAPACITY_BYTES)
        view = memoryview(self._map)
        self._counters = view[:_HEADER_BYTES].cast("Q")
        self._data = view[_HEADER_BYTES:]
        self._fence = threading.Lock()
        self._place = self._counters[_WRITTEN] % CAPACITY_BYTES
        self._room = CAPACITY_BYTES - self.fill_bytes
        """How much the writer knows to be free; more may be."""

    @property
    def fill_bytes(self) -> int:
        """How much was written but not yet read."""
        return self._counters[_WRITTEN] - self._counters[_READ]

    @property
    def orders(self) -> int:
        """How many orders the reader says it has sent."""
        return self._counters[_ORDERS]

    def announce_order(self) -> None:
        """Say that one more order is on its way to the writer."""
        self._counters[_ORDERS] += 1

    def write(self, data: bytes) -> int:
        """Write as much as fits, and return how many bytes that was."""
        size, place = len(data), self._place
        end = place + size
        if size > self._room or end >= CAPACITY_BYTES:
            return self._write_around_the_end(data)
        self._data[place:end] = data
        self._place = end
        self._room -= size
        self._publish(size)
        return size

    def _write_around_the_end(self, data: bytes) -> int:
        self._room = CAPACITY_BYTES - self.fill_bytes
        size, place = min(len(data), self._room), self._place
        first = min(size, CAPACITY_BYTES - place)
        self._data[place : place + first] = data[:first]
        self._data[: size - first] = data[first:size]
        self._place = (place + size) % CAPACITY_BYTES
        self._room -= size
        self._publish(size)
        return size

    def _publish(self, size: int) -> None:
        if not _KEEPS_ORDER:
            self._keep_order()
        self._counters[_WRITTEN] += size

    def read(self) -> bytes:
        """Return all that is there, and free its room."""
        read = self._counters[_READ]
        size = self._counters[_WRITTEN] - read
        if not size:
            return b""
        if not _KEEPS_ORDER:
            self._keep_order()
        place = read % CAPACITY_BYTES
        if place + size <= CAPACITY_BYTES:
            data = bytes(self._data[place : place + size])
        else:
            before_end = CAPACITY_BYTES - place
            data = bytes(self._data[place:]) + bytes(self._data[: size - before_end])
        if not _KEEPS_ORDER:
            self._keep_order()
        self._counters[_READ] = read + size
        return data

    def _keep_order(self) -> None:
        """Have what was done seen before what follows: taking and leaving a lock twice is a barrier."""
        for _ in range(2):
            with self._fence:
                pass

    def close(self) -> None:
        """Let go of the memory."""
        for view in (self._counters, self._data):
            view.release()
        with contextlib.suppress(BufferError):
            self._map.close()
