"""One controller at a time on a remote experiment: a lock object with a sign of life that changes.

No storage of this kind has locks that end with their owner. So the owner changes the object every few
seconds, and who finds one there watches it: if it changes, somebody is at work; if it stays the same for long
enough, whoever made it is dead. No two machines' clocks are compared for that. What was taken from this same
folder, whose own lock the caller holds, is a dead one's without a wait.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any, Self

from poptune._base.notices import warn
from poptune._keeping.storage.remote import Remote, patiently, read_or_none
from poptune._keeping.storage.remote_errors import LostLockError, RemoteError
from poptune.errors import ExperimentError

LOCK_NAME = ".poptune/lock.json"
BEAT_S = 4.0
STALE_S = 20.0
SETTLE_S = 0.5
"""So much later than it was written a lock is read again: by then whoever has taken it in the same moment,
and has not seen us, has written, too."""
_LOOK_S = 1.0
_SURELY_DEAD_S = 3600.0
"""Of a sign of life that is so old by its own account, no clock can be wrong enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Holder:
    session: str
    token: str
    """Of the folder that the experiment is run in."""
    who: str
    beat: int
    time_s: float


class RemoteLock:
    """The right to write into an experiment's remote folder. Take it with :meth:`take`."""

    def __init__(self, remote: Remote, holder: _Holder) -> None:
        self._remote = remote
        self._holder = holder
        self._confirmed_s = time.monotonic()
        self._guard = threading.Lock()
        self._ended = threading.Event()
        self._lost = ""
        self._thread = threading.Thread(target=self._live, name="poptune-remote-lock", daemon=True)

    @classmethod
    def take(cls, remote: Remote, token: str) -> Self:
        """Take the lock; wait for a moment if somebody holds it who may be dead.

        Args:
            remote: The experiment's remote folder.
            token: Of the folder that it is run in, whose own lock the caller holds.

        Raises:
            ExperimentError: Another controller is at work.
            RemoteError: The storage fails.
        """
        found = _read(remote)
        if found is not None and found.token != token:
            _see_to_it_that_it_is_dead(remote, found)
        holder = _Holder(
            session=secrets.token_hex(8),
            token=token,
            who=f"process {os.getpid()} on {socket.gethostname()}",
            beat=0,
            time_s=time.time(),
        )
        patiently(lambda: _write(remote, holder))
        if found is None or found.token != token:
            time.sleep(SETTLE_S)
        written = _read(remote)
        if written is not None and written.session != holder.session:
            raise _is_run_by(written, remote)  # who took it in the same moment
        lock = cls(remote, holder)
        lock._thread.start()
        return lock

    def confirm(self) -> None:
        """Return if it is certain that nobody else works on the experiment now.

        Raises:
            LostLockError: Somebody does.
            RemoteError: The storage fails, so that it is not certain.
        """
        if self._lost:
            raise LostLockError(self._lost)
        if time.monotonic() - self._confirmed_s > STALE_S / 2:
            self._beat()

    def release(self) -> None:
        """Let go of it; a second time does nothing."""
        if self._ended.is_set():
            return
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()
        with contextlib.suppress(RemoteError):
            if not self._lost and self._is_mine(_read_once(self._remote)):
                self._remote.delete(LOCK_NAME)

    def _live(self) -> None:
        while not self._ended.wait(BEAT_S):
            try:
                self._beat()
            except LostLockError:
                return
            except RemoteError:
                continue  # who writes next confirms first

    def _beat(self) -> None:
        with self._guard:
            found = _read_once(self._remote)
            if found is not None and not self._is_mine(found):
                self._lost = (
                    f"The experiment in {self._remote.url} has been taken over by {_printable(found.who)}, "
                    "because this process gave no sign of life there for too long: it ends here, and goes on "
                    "there"
                )
                raise LostLockError(self._lost)
            holder = _Holder(**{**asdict(self._holder), "beat": self._holder.beat + 1, "time_s": time.time()})
            began_s = time.monotonic()
            _write(self._remote, holder)
            self._holder, self._confirmed_s = holder, began_s

    def _is_mine(self, found: _Holder | None) -> bool:
        return found is not None and found.session == self._holder.session


def _see_to_it_that_it_is_dead(remote: Remote, found: _Holder) -> None:
    """Return when the holder of a lock is dead.

    Raises:
        ExperimentError: It lives.
    """
    if time.time() - found.time_s > _SURELY_DEAD_S:
        return
    warn(
        f"{_printable(found.who)} has worked on the experiment in {remote.url}: waiting {STALE_S:g} s for a "
        "sign of life"
    )
    deadline_s = time.monotonic() + STALE_S
    while time.monotonic() < deadline_s:
        time.sleep(min(_LOOK_S, STALE_S / 4))
        now = _read(remote)
        if now is None:
            return
        if now != found:
            raise _is_run_by(now, remote)


def _is_run_by(holder: _Holder, remote: Remote) -> ExperimentError:
    return ExperimentError(
        f"The experiment in {remote.url} is being run by {_printable(holder.who)}: wait until it has ended, "
        "or end it (with Ctrl-C it can be continued)"
    )


def _read(remote: Remote) -> _Holder | None:
    return patiently(lambda: _read_once(remote))


def _read_once(remote: Remote) -> _Holder | None:
    content = read_or_none(remote, LOCK_NAME)
    if content is None:
        return None
    try:
        fields: Any = json.loads(content)
        return _Holder(
            session=str(fields["session"]),
            token=str(fields["token"]),
            who=str(fields["who"]),
            beat=int(fields["beat"]),
            time_s=float(fields["time_s"]),
        )
    except (ValueError, LookupError, TypeError):
        return None  # not written to its end


def _write(remote: Remote, holder: _Holder) -> None:
    remote.write(LOCK_NAME, json.dumps(asdict(holder)).encode())


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:200])
