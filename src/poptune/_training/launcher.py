"""The launcher: a process of its own that imports the heavy modules once and then forks workers from itself.

It speaks over the stream socket whose descriptor it is started with (see :func:`command`). It must stay at
one thread and must not start CUDA or JAX, or a fork of it would be broken; where preloading did either,
workers are spawned as fresh processes instead, and the reason is told.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from poptune._base.attempts import attempt
from poptune._training.launch_protocol import (
    Answer,
    Exited,
    Launch,
    Launched,
    Preload,
    Preloaded,
    Request,
    command,
)
from poptune._training.process_role import become_helper
from poptune._training.wire import receive_frame, send_frame
from poptune._training.worker import die_with_parent, end_process, main


@dataclass(slots=True)
class _Launcher:
    line: socket.socket
    forks: bool = False
    keys: dict[int, int] = field(default_factory=dict)
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def answer(self, answer: Answer) -> None:
        send_frame(self.line, msgspec.msgpack.encode(answer))

    def preload(self, request: Preload) -> None:
        sys.path[:] = request.sys_path
        os.environ.update(request.environment)
        failed, reason = {}, ""
        may_fork = request.fork and sys.platform == "linux"
        for name in _with_companions(request.modules) if may_fork else ():
            if trouble := _trouble_importing(name):
                failed[name] = trouble
            if what := _what_forbids_forks():
                reason = f"importing {name} has started {what}"
                break
        gc.freeze()  # or else the first collection in each worker would touch, and so copy, all of this
        self.forks = may_fork and not reason
        self.answer(Preloaded(reason, failed))

    def launch(self, request: Launch, descriptors: list[int]) -> None:
        pid = self._fork(request, descriptors) if self.forks else self._spawn(request, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        self.keys[pid] = request.key
        self.answer(Launched(request.key, pid))

    def _fork(self, request: Launch, descriptors: list[int]) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            gc.enable()
            atexit._clear()  # noqa: SLF001 - as multiprocessing does: what was registered is the launcher's
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self.line.close()
            os.environ.update(request.environment)
            _become_worker(descriptors)
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 1
        except BaseException:  # noqa: BLE001 - nothing may return into the launcher's loop
            sys.excepthook(*sys.exc_info())
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _spawn(self, request: Launch, descriptors: list[int]) -> int:
        line, stdout, stderr = descriptors
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command("poptune._training.worker", "main", line, sys.path),
            env={**os.environ, **request.environment},
            pass_fds=(line,),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
        self.children.append(child)
        return child.pid

    def reap(self) -> None:
        """Tell of every worker that has ended."""
        for pid in list(self.keys):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self.answer(Exited(self.keys.pop(pid), os.waitstatus_to_exitcode(status)))
                self._forget_child(pid, status)

    def _forget_child(self, pid: int, status: int) -> None:
        for child in [child for child in self.children if child.pid == pid]:
            child.returncode = status
            self.children.remove(child)


def _trouble_importing(name: str) -> str:
    """Import a module, and say what prevents it. That is no failure: the worker that needs it will tell."""

    def imported() -> str:
        importlib.import_module(name)
        return ""

    return attempt(imported, or_else=lambda error: f"{type(error).__name__}: {error}")


def _with_companions(modules: list[str]) -> Iterator[str]:
    """The modules, and what training with them is sure to import later, in each worker for itself."""
    yield from modules
    if "torch" in sys.modules:
        yield "torch._dynamo"  # by the first optimizer: a second of work, 130 MB


def _become_worker(descriptors: list[int]) -> NoReturn:
    line, stdout, stderr = descriptors
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.close(stdout)
    os.close(stderr)
    main(socket.socket(fileno=line))


def _what_forbids_forks() -> str:
    """Say what runs in this process that a fork of it would find broken; empty if nothing does."""
    if _has_open("/dev/nvidia-uvm"):
        return "CUDA"
    bridge: Any = sys.modules.get("jax._src.xla_bridge")
    if bridge is not None and getattr(bridge, "_backends", None):
        return "JAX"
    threads = _threads() and _threads_after_fork()
    return f"{threads} thread{'s' if threads > 1 else ''}" if threads else ""


def _has_open(device: str) -> bool:
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            if descriptor.readlink() == Path(device):
                return True
    return False


def _threads() -> int:
    """How many threads there are beside the main one."""
    return len(list(Path("/proc/self/task").iterdir())) - 1


def _threads_after_fork() -> int:
    """The same, of those that live on when this process forks: OpenBLAS ends its own and starts them anew."""
    with warnings.catch_warnings(action="ignore"):
        pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    return _threads()


def serve(line: socket.socket) -> NoReturn:
    """Answer requests until the controller closes the line."""
    become_helper()
    die_with_parent()
    gc.disable()  # imports make no garbage worth looking for
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        _serve(line)
    end_process()


def _serve(line: socket.socket) -> None:
    launcher = _Launcher(line)
    with _woken_by_children() as wake:
        while True:
            ready, _, _ = select.select([line, wake], [], [])
            if wake in ready:
                with contextlib.suppress(BlockingIOError):
                    wake.recv(4096)
                launcher.reap()
            if line not in ready:
                continue
            frame = receive_frame(line, descriptors=3)
            if frame is None:
                return
            request = msgspec.msgpack.decode(frame.body, type=Request)
            if isinstance(request, Preload):
                launcher.preload(request)
            else:
                launcher.launch(request, frame.descriptors)


@contextlib.contextmanager
def _woken_by_children() -> Iterator[socket.socket]:
    """Give a socket that can be read whenever a child has ended."""
    wake, woken = socket.socketpair()
    with wake, woken:
        for end in (wake, woken):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        try:
            yield wake
        finally:
            signal.set_wakeup_fd(-1)  # what the modules do at exit may end children of theirs
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
