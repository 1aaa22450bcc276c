"""Frames on a stream socket: four bytes of length, then the body; descriptors may ride along."""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import dataclass

HEADER = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Frame:
    """One message, and the open descriptors that came with it."""

    body: bytes
    descriptors: list[int]


class Inbox:
    """Cuts what arrives on a stream into frames."""

    def __init__(self) -> None:
        self._data = bytearray()

    def add(self, data: bytes) -> None:
        self._data += data

    def take(self) -> bytes | None:
        """Return the next whole frame's body, if it is there."""
        if len(self._data) < HEADER.size:
            return None
        end = HEADER.size + HEADER.unpack_from(self._data)[0]
        if len(self._data) < end:
            return None
        body = bytes(self._data[HEADER.size : end])
        del self._data[:end]
        return body


def framed(body: bytes) -> bytes:
    """Return a body with its length before it."""
    return HEADER.pack(len(body)) + body


def send_frame(line: socket.socket, body: bytes, descriptors: tuple[int, ...] = ()) -> None:
    """Send a frame on a blocking socket."""
    if descriptors:
        socket.send_fds(line, [HEADER.pack(len(body))], descriptors)
        line.sendall(body)
    else:
        line.sendall(framed(body))


def receive_frame(line: socket.socket, descriptors: int = 0) -> Frame | None:
    """Wait for a whole frame on a blocking socket; ``None`` if the other end has closed it."""
    header, received, _, _ = socket.recv_fds(line, HEADER.size, descriptors)
    while 0 < len(header) < HEADER.size:
        header += line.recv(HEADER.size - len(header))
    if not header:
        return None
    left = HEADER.unpack(header)[0]
    body = bytearray()
    while left and (part := line.recv(left)):
        body += part
        left -= len(part)
    if left:
        for descriptor in received:
            os.close(descriptor)
        return None
    return Frame(bytes(body), list(received))
