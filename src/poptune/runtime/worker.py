"""The life of a worker process: it trains one trial after another, until it is told to quit."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import multiprocessing
import os
import select
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import NoReturn

import cloudpickle
import msgspec

from poptune.checkpoints import DirectoryStore
from poptune.runtime.protocol import (
    Assignment,
    Failed,
    Idle,
    Message,
    Order,
    Quit,
    Terms,
)
from poptune.runtime.running import run_trial
from poptune.runtime.session import Session
from poptune.runtime.trainable import Prepared
from poptune.runtime.wire import Inbox, framed


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What every worker of an experiment is told first."""

    terms: Terms
    trainable: bytes
    """A pickled :class:`Prepared`; what the user's main module defines is in it by value."""
    sys_path: list[str]


class SocketChannel:
    """A worker's end of its line: framed messages over a stream socket."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._inbox = Inbox()
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)

    def send(self, message: Message) -> None:
        body = self._encoder.encode(message)
        if isinstance(message, Idle):
            _flush()  # what comes later is another trial's
        try:
            self._line.sendall(framed(body))
        except (BrokenPipeError, ConnectionResetError):
            os._exit(0)  # the controller is gone, and with it any use of going on

    def receive(self) -> Order:
        return self._decoder.decode(self.receive_bytes())

    def receive_bytes(self) -> bytes:
        """Wait for a whole frame."""
        while (frame := self._inbox.take()) is None:
            self._fill()
        return frame

    def poll(self) -> Order | None:
        while (frame := self._inbox.take()) is None:
            if not select.select([self._line], [], [], 0)[0]:
                return None
            self._fill()
        return self._decoder.decode(frame)

    def abandon(self, idle: Idle) -> NoReturn:
        self.send(idle)
        os._exit(1)

    def _fill(self) -> None:
        try:
            data = self._line.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            os._exit(0)
        self._inbox.add(data)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # training code may have replaced it
            stream.flush()


def main(line: socket.socket) -> NoReturn:
    """Be a worker on this line until told to quit."""
    _work(line)
    for child in multiprocessing.active_children():
        child.kill()
    atexit._run_exitfuncs()  # noqa: SLF001 - as multiprocessing does
    _flush()
    os._exit(0)  # a thread that was left behind would keep the process for ever


def _work(line: socket.socket) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    channel = SocketChannel(line)
    job = msgspec.msgpack.decode(channel.receive_bytes(), type=Job)
    sys.path[:] = job.sys_path
    store = DirectoryStore(Path(job.terms.experiment_path))
    prepared: Prepared | None = None
    while not isinstance(order := channel.receive(), Quit):
        if not isinstance(order, Assignment):
            continue  # meant for a trial that has left this worker meanwhile
        try:
            prepared = prepared or cloudpickle.loads(job.trainable)
            session = Session(channel, job.terms, order, store)
            session.folder.mkdir(parents=True, exist_ok=True)
            os.chdir(session.folder)
        except Exception as error:  # noqa: BLE001 - told to the user as the trial's failure
            channel.send(_cannot_begin(order, error))
            channel.send(Idle(trial=order.trial))
            continue
        run_trial(prepared, session, channel)


def _cannot_begin(order: Assignment, error: Exception) -> Failed:
    return Failed(
        trial=order.trial,
        incarnation=order.incarnation,
        error=f"The worker cannot load what it is to train: {type(error).__name__}: {error}. What the "
        "trainable imports must be importable here, from the same sys.path as in your program.",
    )


def die_with_parent() -> None:
    """Have this process end when its parent does: by the kernel, or where it cannot, by a watching thread."""
    parent = os.getppid()
    if sys.platform.startswith("linux"):
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)
    else:
        threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()


def _watch_parent(parent: int) -> None:
    pause = threading.Event()
    while os.getppid() == parent:
        pause.wait(1.0)
    os._exit(0)
