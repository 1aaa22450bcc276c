"""What the controller and its launcher say to each other; light, so that a launcher is started at once."""

from __future__ import annotations

import sys

import msgspec


class Preload(msgspec.Struct, frozen=True, tag="preload"):
    """Import these modules, and tell how workers will be made."""

    modules: list[str]
    sys_path: list[str]
    environment: dict[str, str]
    """What has changed in it since the launcher was started, or was last told."""
    fork: bool


class Launch(msgspec.Struct, frozen=True, tag="launch"):
    """Make a worker; its line, stdout and stderr come along as descriptors."""

    key: int
    environment: dict[str, str]


class Preloaded(msgspec.Struct, frozen=True, tag="preloaded"):
    """The answer to :class:`Preload`."""

    reason: str
    """Why workers are not forked although that was asked for."""
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
Answer = Preloaded | Launched | Exited


def command(module: str, function: str, line: int, sys_path: list[str]) -> list[str]:
    """Return the command line of a fresh interpreter that calls ``function(socket)``.

    It has this program's arguments. The path is a part of the code, for an environment variable would reach
    the programs that trials start.
    """
    code = (
        f"import sys; sys.path[:] = {sys_path!r}; sys.argv[:] = {sys.argv!r}; "
        f"import socket, {module}; {module}.{function}(socket.socket(fileno={line}))"
    )
    return [sys.executable, "-c", code]
