"""The life of a worker process: it trains one trial after another, until it is told to quit."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import multiprocessing
import os
import select
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import cloudpickle
import msgspec

from poptune._base.attempts import attempt
from poptune._keeping.storage import open_store
from poptune._training import shared
from poptune._training.background_saves import BackgroundSaves
from poptune._training.printed_lines import print_by_lines
from poptune._training.process_role import become_helper
from poptune._training.protocol import (
    Assignment,
    Channel,
    CodeFailed,
    Idle,
    Message,
    Order,
    QuitOrder,
    Result,
    Terms,
)
from poptune._training.ring import CAPACITY_BYTES, Ring
from poptune._training.running import is_of_the_disk, run_trial
from poptune._training.session import Session, States
from poptune._training.trainable import Prepared
from poptune._training.wire import Inbox, framed, receive_frame

_CALL_AFTER_BYTES = CAPACITY_BYTES // 2
_FULL_PAUSE_S = 0.0005


ORIGINAL_WORKING_FOLDER = "TUNE_ORIG_WORKING_DIR"
"""The variable that tells training code the folder of the user's program, by the name that Ray gave it."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What every worker of an experiment is told first; its ring's descriptor comes along."""

    terms: Terms
    trainable: bytes
    """A pickled :class:`Prepared`; what the user's main module defines is in it by value."""
    parameters: str
    """The folder that its parameters are stored in; empty if it has none."""
    sys_path: list[str]
    working_folder: str
    """Where the user's program works, for what it names by relative paths."""


class WorkerChannel:
    """A worker's end of its line: what it says goes into a ring, what it is told comes over a socket.

    Of most results the controller need not hear at once. For those that it must, and when the ring fills up,
    a byte over the socket calls it.
    """

    def __init__(self, line: socket.socket, ring: Ring) -> None:
        self._line = line
        self._ring = ring
        self._inbox = Inbox()
        self._frames: deque[bytes] = deque()
        self._encode = msgspec.msgpack.Encoder().encode
        self._decoder: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)
        self._orders_received = 0
        self._written_since_call = 0

    def send(self, message: Message) -> None:
        if isinstance(message, Idle):
            flush_streams()  # what comes later is another trial's
        data = framed(self._encode(message))
        written = self._ring.write(data)
        self._written_since_call += written
        can_wait = type(message) is Result and not (message.waiting or message.stop)
        if not can_wait or self._written_since_call > _CALL_AFTER_BYTES:
            self._call()
        while written < len(data):
            time.sleep(_FULL_PAUSE_S)
            written += self._ring.write(data[written:])

    def _call(self) -> None:
        """Have the controller look into the ring now."""
        self._written_since_call = 0
        try:
            self._line.sendall(b"!")
        except (BrokenPipeError, ConnectionResetError):
            os._exit(0)  # the controller is gone, and with it any use of going on

    def receive(self) -> Order:
        while not self._frames:
            self._fill()
        return self._take()

    def poll(self) -> Order | None:
        if self._ring.orders == self._orders_received:
            return None
        while not self._frames:
            if not select.select([self._line], [], [], 0)[0]:
                return None
            self._fill()
        return self._take()

    def _take(self) -> Order:
        self._orders_received += 1
        return self._decoder.decode(self._frames.popleft())

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
        self._frames.extend(self._inbox.add(data))


def flush_streams() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # training code may have replaced it
            stream.flush()


def main(line: socket.socket) -> NoReturn:
    """Be a worker on this line until told to quit."""
    _work(line)
    for child in multiprocessing.active_children():
        child.kill()
    end_process()


def end_process() -> NoReturn:
    """Do what was registered for the end of this process, and end it, without taking its interpreter down.

    That takes long where much was imported, and for ever where a thread was left behind.
    """
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no other way; multiprocessing does so, too
    flush_streams()
    os._exit(0)


def _work(line: socket.socket) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    print_by_lines()
    first = receive_frame(line, descriptors=1)
    if first is None:
        return
    (descriptor,) = first.descriptors
    channel = WorkerChannel(line, Ring(descriptor))
    os.close(descriptor)
    job = msgspec.msgpack.decode(first.body, type=Job)
    sys.path[:] = job.sys_path
    if job.working_folder:
        os.environ.setdefault(ORIGINAL_WORKING_FOLDER, job.working_folder)
    store = open_store(Path(job.terms.experiment_path), job.terms.remote)
    train_all(channel, job.terms, store, functools.partial(_open, job))


def train_all(channel: Channel, terms: Terms, store: States, open_trainable: Callable[[], Prepared]) -> None:
    """Train one trial after another, as it is ordered, until told to quit.

    Args:
        channel: The line to the controller.
        terms: What holds for all trials.
        store: Where states are saved and found.
        open_trainable: Returns what is to be trained; called once.
    """
    become_helper()
    background = BackgroundSaves(channel, store) if terms.background_saves else None
    speaks, states = background or channel, background or store
    opened = functools.cache(open_trainable)

    def begin(order: Assignment) -> tuple[Prepared, Session]:
        prepared, session = opened(), Session(speaks, terms, order, states)
        _enter_folder(session.folder)
        return prepared, session

    def decline(order: Assignment, error: Exception) -> None:
        channel.send(cannot_begin(order, error))
        channel.send(Idle(trial=order.trial))

    while not isinstance(order := channel.receive(), QuitOrder):
        if not isinstance(order, Assignment):
            continue  # meant for a trial that has left this worker meanwhile
        begun = attempt(functools.partial(begin, order), or_else=functools.partial(decline, order))
        if begun is not None:
            run_trial(*begun, speaks)


class _FolderError(Exception):
    """A trial's folder cannot be worked in."""


def _enter_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.chdir(folder)
    except OSError as error:
        raise _FolderError(f"A trial works in its folder {folder}, but the system says: {error}.") from error


def _open(job: Job) -> Prepared:
    prepared: Prepared = cloudpickle.loads(job.trainable)
    return replace(prepared, parameters=shared.load(job.parameters)) if job.parameters else prepared


def cannot_begin(order: Assignment, error: Exception) -> CodeFailed:
    """Return the failure of a trial whose session could not be begun."""
    story, refused = str(error), ""
    if not isinstance(error, _FolderError):
        story = (
            f"The worker cannot load what it is to train: {type(error).__name__}: {error}. What the "
            "trainable imports must be importable here, from the same sys.path as in your program."
        )
    elif is_of_the_disk(error.__cause__):
        refused = story
    return CodeFailed(trial=order.trial, incarnation=order.incarnation, error=story, refused=refused)


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
