"""The controller's side of the launcher: starts it, asks it for workers, hears of those that ended."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import warnings
from dataclasses import dataclass

import msgspec

from poptune.errors import ExecutorError
from poptune.executors.launcher import Answer, Exited, Launch, Launched, Preload, Prepared, command
from poptune.runtime.wire import Inbox, send_frame

_THREAD_LIMITS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


@dataclass(frozen=True, slots=True)
class Birth:
    """The worker with this key is process ``pid``."""

    key: int
    pid: int
    status: None = None


@dataclass(frozen=True, slots=True)
class Death:
    """The worker with this key has ended."""

    key: int
    status: int
    pid: None = None


class Launching:
    """The launcher process, as its owner sees it.

    Args:
        modules: What it imports before the first fork.
        sys_path: Where modules are found.
        fork: Whether workers are forked where that is safe.
        threads: How many threads the numeric libraries of one worker may use, unless the user's own
            environment says otherwise.
    """

    def __init__(self, *, modules: list[str], sys_path: list[str], fork: bool, threads: int) -> None:
        self.line, theirs = socket.socketpair()
        limits = {name: str(threads) for name in _THREAD_LIMITS if name not in os.environ}
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command("poptune.executors.launcher", "serve", theirs.fileno()),
            pass_fds=(theirs.fileno(),),
            env={**os.environ, **limits, "PYTHONPATH": os.pathsep.join(sys_path)},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        self._inbox = Inbox()
        self._send(Preload(modules, sys_path, fork))

    def _send(self, request: Preload | Launch, descriptors: tuple[int, ...] = ()) -> None:
        try:
            send_frame(self.line, msgspec.msgpack.encode(request), descriptors)
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
        while select.select([self.line], [], [], 0)[0]:
            data = self.line.recv(65536)
            if not data:
                raise ExecutorError(self._obituary())
            self._inbox.add(data)
        heard: list[Birth | Death] = []
        while (frame := self._inbox.take()) is not None:
            answer = msgspec.msgpack.decode(frame, type=Answer)
            if isinstance(answer, Launched):
                heard.append(Birth(answer.key, answer.pid))
            elif isinstance(answer, Exited):
                heard.append(Death(answer.key, answer.status))
            else:
                _explain(answer)
        return heard

    def _obituary(self) -> str:
        status = self._process.poll()
        return (
            "The process that starts the workers must live as long as the experiment, but it ended "
            f"(exit status {status}): its own words, if any, are in the output above; "
            "ProcessExecutor(preload=[]) starts it without importing anything"
        )

    def close(self) -> None:
        """End the launcher."""
        self.line.close()
        try:
            self._process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _explain(prepared: Prepared) -> None:
    """Say why workers start slowly, if they will although forking was asked for."""
    if not prepared.forks and "not asked for" not in prepared.reason and sys.platform == "linux":
        warnings.warn(
            f"Workers are started afresh instead of forked, because {prepared.reason}. They start more "
            "slowly; ProcessExecutor(preload=[...]) with other modules can avoid it.",
            RuntimeWarning,
            stacklevel=2,
        )
