"""What a session does in the remote folder of its experiment: a lock, a mirror, an end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from poptune._base.notices import warn
from poptune._keeping.mirroring import Mirroring, make_way
from poptune._keeping.mirroring.holding import HoldingStore
from poptune._keeping.storage import FetchingStore, Remote, open_remote
from poptune._keeping.storage.locations import mark
from poptune._keeping.storage.lock import RemoteLock
from poptune.errors import ExperimentError, StorageError

_PATIENCE_AFTER_AN_ERROR_S = 30.0
_PATIENCE_AFTER_CTRL_C_S = 5.0


@dataclass(frozen=True, slots=True)
class RemoteSide:
    """A session's hold on the remote folder of its experiment."""

    remote: Remote
    lock: RemoteLock
    fetching: FetchingStore
    store: HoldingStore
    """Through which the controller finds and deletes checkpoints."""
    mirroring: Mirroring

    @classmethod
    def take(cls, root: Path, url: str) -> Self:
        """Lock the remote folder.

        Args:
            root: The experiment's folder, whose own lock the caller holds.
            url: Its remote folder.

        Raises:
            ExperimentError: Another controller is at work.
            StorageError: The storage fails.
        """
        token = mark(root, url).token
        remote = open_remote(url)
        lock = RemoteLock.take(remote, token)
        fetching = FetchingStore(root, lambda: remote)
        store = HoldingStore(fetching)
        return cls(remote, lock, fetching, store, Mirroring(root, remote, store, lock.confirm))

    def make_way(self) -> None:
        """Move a finished experiment of this name aside.

        Raises:
            ExperimentError: There is an interrupted one, or something else.
        """
        make_way(self.remote)

    def mend(self, checkpoints: Iterable[str]) -> bool:
        """Replace checkpoints that are damaged here by their remote copies; return whether any was.

        Raises:
            CheckpointError: The storage fails.
        """
        mended = [path for path in checkpoints if self.fetching.mend(path)]
        return bool(mended)

    def close(
        self, error: BaseException | None = None, *, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        """Bring there all that is left, and let go.

        Args:
            error: Why the session ends, if it does by an error: then what cannot be brought is but a warning.
            tell: Told what is waited for, if that takes a while.

        Raises:
            StorageError: Not everything could be brought there.
        """
        with ExitStack() as at_last:
            at_last.callback(self.lock.release)
            if error is None:
                self.mirroring.close(tell=tell)
                return
            is_hasty = isinstance(error, KeyboardInterrupt)
            try:
                self.mirroring.close(
                    patience_s=_PATIENCE_AFTER_CTRL_C_S if is_hasty else _PATIENCE_AFTER_AN_ERROR_S,
                    tell=tell,
                )
            except (StorageError, ExperimentError) as left_behind:
                if left_behind is not error:
                    warn(str(left_behind))
