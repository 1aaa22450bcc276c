"""The controller's side of the launcher: starts it, asks it for workers, hears of those that ended."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from poptune._base.notices import warn
from poptune._training.launch_protocol import Answer, Exited, Launch, Launched, Preload, Preloaded, command
from poptune._training.printed_lines import Lines
from poptune._training.wire import Inbox, send_frame
from poptune.errors import ExecutorError

_THREAD_LIMITS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
_CUDA_UNTOUCHED = {"PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
"""So that asking for ``torch.cuda.is_available()`` in a module's body does not start CUDA before the fork."""
_PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Birth:
    """The worker with this key is process ``pid``."""

    key: int
    pid: int
    status: None = None


@dataclass(frozen=True, slots=True)
class Death:
    """The worker with this key has ended; ``status`` is its exit code, or minus the signal that ended it."""

    key: int
    status: int
    pid: None = None

    @property
    def cause(self) -> str:
        """What became of the worker, in words."""
        if self.status >= 0:
            return f"its worker process ended with exit code {self.status}"
        try:
            name = signal.Signals(-self.status).name
        except ValueError:
            name = f"signal {-self.status}"
        hint = ", perhaps because the machine ran out of memory" if name == "SIGKILL" else ""
        return f"its worker process was ended by {name}{hint}"


class Launching:
    """The launcher process, as its owner sees it.

    What importing prints is repeated through ``sys.stdout`` and ``sys.stderr``, so that it comes to where
    the program prints: above a live view, or below a notebook's cell.

    Args:
        threads: How many threads the numeric libraries of one worker may use, unless the user's own
            environment says otherwise.
    """

    def __init__(self, *, threads: int) -> None:
        self._line, theirs = socket.socketpair()
        limits = {name: str(threads) for name in _THREAD_LIMITS}
        sys_path = importable_path()
        self._environment = dict(os.environ)
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command("poptune._training.launcher", "serve", theirs.fileno(), sys_path),
            pass_fds=(theirs.fileno(),),
            env={**limits, **_CUDA_UNTOUCHED, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        theirs.close()
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._streams: dict[str, IO[bytes]] = {
            "stdout": self._process.stdout,
            "stderr": self._process.stderr,
        }
        for stream in self._streams.values():
            os.set_blocking(stream.fileno(), False)
        self._printed = {name: Lines() for name in self._streams}
        self._inbox = Inbox()
        self._must_import: set[str] = set()

    def preload(self, modules: Sequence[str], *, fork: bool = True, must_import: bool = False) -> None:
        """Have modules imported before the first fork.

        Args:
            modules: Their names.
            fork: Whether workers are forked where that is safe.
            must_import: Whether the user has named these modules, and is told of one that cannot be imported.
        """
        self._must_import |= set(modules) if must_import else set()
        changed = {name: value for name, value in os.environ.items() if self._environment.get(name) != value}
        self._environment |= changed
        self._send(Preload(list(modules), importable_path(), changed, fork))

    @property
    def sources(self) -> list[socket.socket | IO[bytes]]:
        """What becomes readable when there is something to hear."""
        return [self._line, *self._streams.values()]

    def _send(self, request: Preload | Launch, descriptors: tuple[int, ...] = ()) -> None:
        try:
            send_frame(self._line, msgspec.msgpack.encode(request), descriptors)
        except OSError as error:
            raise ExecutorError(self._obituary()) from error

    def launch(self, key: int, environment: dict[str, str], descriptors: tuple[int, ...]) -> None:
        """Ask for a worker; its birth, and one day its death, are heard later."""
        self._send(Launch(key, environment), descriptors)

    def hear(self) -> list[Birth | Death]:
        """Return what the launcher has to tell, without waiting.

        Raises:
            ExecutorError: The launcher itself has ended.
        """
        self._repeat_printed()
        frames: list[bytes] = []
        while select.select([self._line], [], [], 0)[0]:
            try:
                data = self._line.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                raise ExecutorError(self._obituary())
            frames += self._inbox.add(data)
        heard: list[Birth | Death] = []
        for frame in frames:
            answer = msgspec.msgpack.decode(frame, type=Answer)
            if isinstance(answer, Launched):
                heard.append(Birth(answer.key, answer.pid))
            elif isinstance(answer, Exited):
                heard.append(Death(answer.key, answer.status))
            else:
                self._explain(answer)
        return heard

    def _repeat_printed(self) -> None:
        for name, stream in self._streams.items():
            data = b"" if stream.closed else stream.read(65536)
            for line in self._printed[name].add(data or b""):
                print(line, file=getattr(sys, name))

    def _explain(self, preloaded: Preloaded) -> None:
        """Say why workers start slowly, if they will although forking was asked for."""
        if preloaded.reason:
            warn(
                f"Workers are started afresh instead of forked, because {preloaded.reason}. They start more "
                "slowly; ProcessExecutor(preload=[...]) with other modules can avoid it."
            )
        for module, error in preloaded.failed.items():
            if module in self._must_import:
                warn(f"preload must name modules that can be imported, but {module!r} cannot ({error})")

    def _obituary(self) -> str:
        try:
            status: int | None = self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            status = None
        self._repeat_printed()
        return (
            "The process that starts the workers must live as long as the experiment, but it ended "
            f"(exit status {status}): its own words, if any, are in the output above; "
            "ProcessExecutor(preload=[]) starts it without importing anything. Tuner.restore(...) continues "
            "the experiment"
        )

    def close(self, *, at_once: bool) -> None:
        """End the launcher: with what its modules want to do at exit, or at once and all workers with it."""
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_WR)
        if at_once or not select.select([self._line], [], [], _PATIENCE_S)[0]:
            self._process.kill()
        self._process.wait()
        self._repeat_printed()
        for name, stream in self._streams.items():
            for line in self._printed[name].finish():
                print(line, file=getattr(sys, name))
            stream.close()
        self._line.close()


def importable_path() -> list[str]:
    """``sys.path`` with absolute entries, since workers have working directories of their own."""
    return [str(Path(entry).absolute()) for entry in sys.path]
