"""The mirror at work beside the controller: in a thread of its own, that no trouble of a storage ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from poptune._base.notices import warn
from poptune._core.events import Event
from poptune._core.views import WatchedPopulation
from poptune._keeping.mirroring.holding import HoldingStore
from poptune._keeping.mirroring.mirror import Mirror
from poptune._keeping.storage.remote import Remote
from poptune._keeping.storage.remote_errors import LostLockError, RemoteError
from poptune._keeping.storage.retry import BackOff
from poptune.errors import ExperimentError, PoptuneError, StorageError

_EVERY_S = 0.5
PATIENCE_AT_BEGIN_S = 60.0
PATIENCE_AT_END_S = 120.0
_AT_ONCE = 4
_PAUSE_AT_END_S = 2.0
_TELL_AFTER_S = 1.0
_TELL_EVERY_S = 10.0
_WARN_AFTER_S = 15.0
"""Single errors are usual with such storages; trouble that lasts is worth a word."""


class Mirroring:
    """Mirrors an experiment from :meth:`start` to :meth:`close`.

    It is an observer of the run, so that the run ends if another controller has taken over, and so that
    warnings come from the user's own thread.

    Args:
        root: The experiment's folder.
        remote: Its remote folder.
        store: The store through which the controller deletes checkpoints.
        confirm: Raises an error unless it is certain that nobody else writes to the remote folder.
    """

    def __init__(self, root: Path, remote: Remote, store: HoldingStore, confirm: Callable[[], None]) -> None:
        self._root = root
        self._remote = remote
        self._make = partial(Mirror, root, remote, store, confirm, at_once=_AT_ONCE)
        self._wake = threading.Event()
        self._started = threading.Event()
        self._closing = threading.Event()
        self._give_up_s = 0.0
        self._error: Exception | None = None
        """Why it has ended, if not because all is done."""
        self._failing_since_s: float | None = None
        self._last_error = ""
        self._has_warned = False
        self._mirror: Mirror | None = None
        self._thread = threading.Thread(target=self._work, name="poptune-mirror", daemon=True)

    def start(self, *, patience_s: float = PATIENCE_AT_BEGIN_S) -> None:
        """Begin; return when the experiment, as it is now, is in the remote folder.

        Args:
            patience_s: For how long, in seconds, what fails is tried again.

        Raises:
            ExperimentError: It has gone on somewhere else.
            StorageError: It could not be brought there.
        """
        self._give_up_s = time.monotonic() + patience_s
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            raise self._error

    def observe(self, events: Sequence[Event], population: WatchedPopulation) -> None:
        """End the run if another controller has taken over; warn of trouble that lasts, once."""
        if self._error is not None:
            raise self._error
        since_s = self._failing_since_s
        if since_s is not None and not self._has_warned and time.monotonic() - since_s > _WARN_AFTER_S:
            self._has_warned = True
            warn(
                "Nothing reaches the remote storage at present. The training goes on, all is kept in "
                f"{self._root}, and uploads are tried again. The last error: {self._last_error}"
            )

    def close(
        self, *, patience_s: float = PATIENCE_AT_END_S, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        """Bring there all that is left, and end.

        Args:
            patience_s: For how long, in seconds, what fails is tried again.
            tell: Told what is waited for, if that takes longer than one is used to.

        Raises:
            StorageError: Not everything could be brought there.
        """
        self._give_up_s = time.monotonic() + patience_s
        self._closing.set()
        self._wake.set()
        self._wait_for_the_end(tell)
        if self._error is not None:
            error, self._error = self._error, None
            raise self._left_behind(error) from error

    def _wait_for_the_end(self, tell: Callable[[str], None]) -> None:
        self._thread.join(_TELL_AFTER_S)
        if not self._thread.is_alive():
            return
        while self._thread.is_alive():
            waiting = self._mirror.waiting if self._mirror else 0
            what = f"{waiting} checkpoint{'s' * (waiting != 1)}" if waiting else "journal and logs"
            tell(f"The uploads to {self._remote.url} go on; left to bring: {what}")
            self._thread.join(_TELL_EVERY_S)
        if self._error is None:
            tell(f"All of the experiment is in {self._remote.url}")

    def _left_behind(self, error: Exception) -> StorageError:
        if isinstance(error, LostLockError):
            return error
        return StorageError(
            f"The experiment is to be in {self._remote.url}, but not all of it could be brought. Everything "
            f"is in {self._root}: once the storage works again, Tuner.restore({self._remote.url!r}).fit() on "
            f"this machine brings it there. The last error: {error}"
        )

    def _work(self) -> None:
        back_off = BackOff()
        try:
            while True:
                try:
                    mirror = self._mirror = self._mirror or self._begun()
                    if self._closing.is_set():
                        mirror.finish()
                        return
                    mirror.turn()
                except (PoptuneError, OSError) as error:
                    if self._is_final(error):
                        raise
                    self._note(error)
                    self._rest(back_off.pause_s())
                else:
                    self._failing_since_s = None
                    back_off.reset()
                    self._started.set()
                    self._wake.wait(_EVERY_S)
        except Exception as error:  # noqa: BLE001 - whoever started, observes or closes is told
            self._error = error
        finally:
            self._started.set()
            if self._mirror is not None:
                self._mirror.close()

    def _rest(self, pause_s: float) -> None:
        if self._closing.is_set():
            time.sleep(min(pause_s, _PAUSE_AT_END_S))
        else:
            self._wake.wait(pause_s)

    def _begun(self) -> Mirror:
        mirror = self._make()
        try:
            mirror.begin()
        except BaseException:
            mirror.close()
            raise
        return mirror

    def _is_final(self, error: Exception) -> bool:
        """Whether nothing more is tried: somebody else is at work, or who waits has waited long enough."""
        if isinstance(error, LostLockError | ExperimentError):
            return True
        waited_for = self._closing.is_set() or not self._started.is_set()
        lasts = isinstance(error, RemoteError) and error.lasts and not self._started.is_set()
        return waited_for and (lasts or time.monotonic() > self._give_up_s)

    def _note(self, error: Exception) -> None:
        self._last_error = str(error)
        if self._failing_since_s is None:
            self._failing_since_s = time.monotonic()
