"""One controller at a time: a lock on an experiment's folder, which ends with its owner, however that dies.

The lock is the system's (``flock``) on a file; that the file is there means nothing. What stands in it is for
the one who is refused.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import weakref
from pathlib import Path
from typing import Self

from poptune._base.notices import warn
from poptune.errors import ExperimentError

_LONGEST = 200
_held: weakref.WeakSet[ExperimentLock] = weakref.WeakSet()


class ExperimentLock:
    """The right to write into an experiment's folder. Take it with :meth:`take`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        _held.add(self)

    @classmethod
    def take(cls, path: Path) -> Self:
        """Lock this file, which is made if need be; its folder must be there.

        Raises:
            ExperimentError: Somebody else holds it, or the folder cannot be written.
            FileNotFoundError: The folder is not there.
        """
        while True:
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except FileNotFoundError:
                raise
            except OSError as error:
                raise ExperimentError(
                    f"An experiment is run in a folder that can be written, but {path.parent} cannot be "
                    f"({error.strerror}): change its permissions"
                ) from error
            try:
                _lock(descriptor, path)
                is_current = _is_at(descriptor, path)
            except BaseException:
                os.close(descriptor)
                raise
            if is_current:
                lock = cls(path, descriptor)
                lock._sign()
                return lock
            os.close(descriptor)  # its owner has just removed it, or moved the folder away

    def _sign(self) -> None:
        with contextlib.suppress(OSError):  # a full disk takes no name, but a lock it is all the same
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)

    def follow(self, path: Path) -> None:
        """Note that the folder was renamed, so that the file is at ``path`` now."""
        self._path = path

    def release(self) -> None:
        """Remove the file and let go of the lock; a second time does nothing."""
        if self._descriptor < 0:
            return
        with contextlib.suppress(OSError):
            if _is_at(self._descriptor, self._path):
                self._path.unlink()
        self._let_go()

    def _let_go(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = os.pread(descriptor, _LONGEST, 0).decode(errors="replace").strip()
        raise ExperimentError(
            f"The experiment in {path.parent} is being run by {_printable(owner) or 'another process'}: wait "
            "until it has ended, or end it (with Ctrl-C it can be continued)"
        ) from error
    except OSError as error:
        warn(
            f"{path.parent} lies on a file system that has no locks ({error.strerror}): see to it yourself "
            "that no two processes run this experiment at once"
        )


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is the one that has this name now."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _forget_all() -> None:
    """In a forked child: hold on to nothing, or it would keep the locks beyond the death of its parent."""
    for lock in list(_held):
        lock._let_go()  # noqa: SLF001


os.register_at_fork(after_in_child=_forget_all)
