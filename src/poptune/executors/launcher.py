"""The launcher: a process of its own that imports the heavy modules once and then forks workers from itself.

It speaks over the stream socket whose descriptor it is started with (see :func:`command`). It must stay at
one thread and must not start CUDA or JAX, or a fork of it would be broken; where preloading did either,
workers are spawned as fresh processes instead, and the reason is told.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import select
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from poptune.runtime.wire import receive_frame, send_frame
from poptune.runtime.worker import die_with_parent, main


class Preload(msgspec.Struct, frozen=True, tag="preload"):
    """Import these modules, and tell how workers will be made."""

    modules: list[str]
    sys_path: list[str]
    fork: bool


class Launch(msgspec.Struct, frozen=True, tag="launch"):
    """Make a worker; its line, stdout and stderr come along as descriptors."""

    key: int
    environment: dict[str, str]


class Prepared(msgspec.Struct, frozen=True, tag="prepared"):
    """The answer to :class:`Preload`."""

    forks: bool
    reason: str
    failed: dict[str, str]


class Launched(msgspec.Struct, frozen=True, tag="launched"):
    """The worker with this key is process ``pid``."""

    key: int
    pid: int


class Exited(msgspec.Struct, frozen=True, tag="exited"):
    """A worker has ended; ``status`` is its exit code, or minus the signal that ended it."""

    key: int
    status: int


Request = Preload | Launch
Answer = Prepared | Launched | Exited


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
        failed = {}
        for name in request.modules:
            try:
                importlib.import_module(name)
            except Exception as error:  # noqa: BLE001 - preloading is a favour; the worker will tell the error
                failed[name] = f"{type(error).__name__}: {error}"
        reason = "" if request.fork else "forking was not asked for"
        reason = reason or _why_not_to_fork(request.modules)
        self.forks = not reason
        self.answer(Prepared(self.forks, reason, failed))

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
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self.line.close()
            os.environ.update(request.environment)
            _become_worker(descriptors)
            code = 0
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
            command("poptune.runtime.worker", "main", line),
            env={**os.environ, **request.environment, "PYTHONPATH": os.pathsep.join(sys.path)},
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


def _become_worker(descriptors: list[int]) -> None:
    line, stdout, stderr = descriptors
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.close(stdout)
    os.close(stderr)
    main(socket.socket(fileno=line))


def _why_not_to_fork(modules: list[str]) -> str:
    """Say why a fork of this process would be broken; empty if it would not."""
    if sys.platform != "linux":
        return "this platform has no safe fork"
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return f"importing {modules} has started CUDA"
    bridge: Any = sys.modules.get("jax._src.xla_bridge")
    if bridge is not None and getattr(bridge, "_backends", None):
        return f"importing {modules} has started JAX"
    threads = len(list(Path("/proc/self/task").iterdir()))
    return f"importing {modules} has started {threads - 1} threads" if threads > 1 else ""


def command(module: str, function: str, line: int) -> list[str]:
    """Return the command line of a fresh interpreter that calls ``function(socket)``."""
    code = f"import socket, {module}; {module}.{function}(socket.socket(fileno={line}))"
    return [sys.executable, "-c", code]


def serve(line: socket.socket) -> None:
    """Answer requests until the controller closes the line."""
    die_with_parent()
    wake, woken = socket.socketpair()
    for end in (wake, woken):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
    launcher = _Launcher(line)
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
