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
        self._rest = bytearray()

    def add(self, data: bytes) -> list[bytes]:
        """Take in what has arrived; return the bodies of the frames that it completes."""
        if self._rest:
            self._rest += data
            if not _holds_a_frame(self._rest):
                return []
            data, self._rest = bytes(self._rest), bytearray()
        bodies, place = [], 0
        while len(data) - place >= HEADER.size:
            begin = place + HEADER.size
            end = begin + HEADER.unpack_from(data, place)[0]
            if end > len(data):
                break
            bodies.append(data[begin:end])
            place = end
        self._rest += data[place:]
        return bodies


def _holds_a_frame(data: bytearray) -> bool:
    return len(data) >= HEADER.size and len(data) >= HEADER.size + HEADER.unpack_from(data)[0]


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
