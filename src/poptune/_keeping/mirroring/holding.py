"""The controller's checkpoint store while its experiment is mirrored: nothing goes that is being uploaded."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, final

from poptune._keeping.checkpoints import Checkpoint, CheckpointStore, StoredCheckpoint

if TYPE_CHECKING:
    from poptune._base.types import CheckpointId


@final
class HoldingStore:
    """A store that puts off deletions of what is held.

    Args:
        store: Where the checkpoints are.
    """

    def __init__(self, store: CheckpointStore) -> None:
        self._store = store
        self._guard = threading.Lock()
        self._held: set[str] = set()
        self._put_off: set[str] = set()

    @contextlib.contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Keep everything that is there now for the length of a ``with`` block: deletions wait."""
        with self._guard:
            yield

    def hold(self, paths: Iterable[str]) -> None:
        """Keep these until they are let go of. To be called undisturbed."""
        self._held = set(paths)

    def let_go(self) -> None:
        """Delete what was to be deleted meanwhile, and hold nothing."""
        with self._guard:
            put_off, self._held, self._put_off = self._put_off, set(), set()
            for path in put_off:
                self._store.delete(path)

    def save(self, checkpoint: Checkpoint, *, folder: str, number: int) -> StoredCheckpoint:
        """See `CheckpointStore.save`."""
        return self._store.save(checkpoint, folder=folder, number=number)

    def open(
        self, relative_path: str, *, trusted: bool = False, checkpoint_id: CheckpointId | None = None
    ) -> Checkpoint:
        """See `CheckpointStore.open`."""
        return self._store.open(relative_path, trusted=trusted, checkpoint_id=checkpoint_id)

    def delete(self, relative_path: str) -> None:
        """See `CheckpointStore.delete`; of what is held, later."""
        with self._guard:
            if relative_path in self._held:
                self._put_off.add(relative_path)
            else:
                self._store.delete(relative_path)

    def sync(self, relative_path: str) -> None:
        """See `CheckpointStore.sync`."""
        self._store.sync(relative_path)

    def sweep(self, known: Collection[str]) -> list[str]:
        """See `CheckpointStore.sweep`."""
        return self._store.sweep(known)
