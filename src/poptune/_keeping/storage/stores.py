"""Checkpoint stores whose checkpoints may lie in a remote folder, too."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, final

from poptune._keeping.checkpoints import Checkpoint, DirectoryStore, StoredCheckpoint
from poptune._keeping.checkpoints.manifest import MANIFEST_NAME, read_manifest
from poptune._keeping.storage.remote import Remote, patiently, read_or_none
from poptune._keeping.storage.remote_errors import RemoteError
from poptune._keeping.storage.retry import persistently
from poptune._keeping.storage.transfers import (
    checkpoints_in,
    delete_checkpoint,
    download_checkpoint,
    manifest_of,
    upload_checkpoint,
)
from poptune.errors import CheckpointError, CorruptCheckpointError

if TYPE_CHECKING:
    from poptune._base.types import CheckpointId

_UPLOAD_PATIENCE_S = 600.0


@final
class FetchingStore:
    """Keeps checkpoints in a local folder; one that is opened and not there is fetched from a remote one.

    Args:
        root: The experiment's folder.
        connect: Opens its remote folder, when it is needed first: most workers never do.
    """

    def __init__(self, root: Path, connect: Callable[[], Remote]) -> None:
        self._root = root
        self._local = DirectoryStore(root)
        self._connect = connect
        self._remote: Remote | None = None

    def save(self, checkpoint: Checkpoint, *, folder: str, number: int) -> StoredCheckpoint:
        """See `CheckpointStore.save`; it is saved here only."""
        return self._local.save(checkpoint, folder=folder, number=number)

    def open(
        self,
        relative_path: str,
        *,
        trusted: bool = False,
        checkpoint_id: CheckpointId | None = None,
    ) -> Checkpoint:
        """See `CheckpointStore.open`.

        Raises:
            CheckpointError: It is in neither of the two places, or the storage fails.
        """
        try:
            return self._local.open(relative_path, trusted=trusted, checkpoint_id=checkpoint_id)
        except CorruptCheckpointError:
            if (self._root / relative_path).exists():
                raise
        self.fetch(relative_path)
        return self._local.open(relative_path, trusted=trusted, checkpoint_id=checkpoint_id)

    def fetch(self, relative_path: str) -> None:
        """Bring a checkpoint here from the remote folder.

        Raises:
            CheckpointError: It is not there, or the storage fails.
        """
        remote = self._opened()
        with _as_checkpoint_error():
            patiently(lambda: download_checkpoint(remote, self._root, relative_path))

    def mend(self, relative_path: str) -> bool:
        """Replace a checkpoint that is damaged here by its remote copy, if that is whole; say whether it was.

        A remote checkpoint with another manifest is of another save, and is left where it is.

        Raises:
            CheckpointError: The storage fails.
        """
        remote, folder = self._opened(), self._root / relative_path
        with _as_checkpoint_error(), tempfile.TemporaryDirectory(prefix=".tmp-", dir=self._root) as aside:
            there = patiently(lambda: read_or_none(remote, manifest_of(relative_path)))
            if there is None or _is_of_another_save(folder, there):
                return False
            try:
                patiently(lambda: download_checkpoint(remote, Path(aside), relative_path))
                DirectoryStore(Path(aside)).open(relative_path).verify()
            except CorruptCheckpointError:
                return False
            self._local.delete(relative_path)
            folder.parent.mkdir(parents=True, exist_ok=True)
            Path(aside, relative_path).rename(folder)
        return True

    def _opened(self) -> Remote:
        self._remote = self._remote or self._connect()
        return self._remote

    def delete(self, relative_path: str) -> None:
        """See `CheckpointStore.delete`; it is deleted here only."""
        self._local.delete(relative_path)

    def sync(self, relative_path: str) -> None:
        """See `CheckpointStore.sync`. What is not here was fetched by nobody, so it is safe where it is."""
        try:
            self._local.sync(relative_path)
        except CorruptCheckpointError:
            if (self._root / relative_path).exists():
                raise

    def sweep(self, known: Collection[str]) -> list[str]:
        """See `CheckpointStore.sweep`; only this folder is swept."""
        return self._local.sweep(known)


@final
class UploadingStore:
    """Keeps checkpoints in a local folder and in a remote one: what was saved is in both.

    For workers on other machines than the controller's. With `CheckpointConfig(save_in_background=True)`
    the upload goes on beside the training.

    Args:
        root: The experiment's folder on this machine.
        remote: Its remote folder.
        patience_s: For how long, in seconds, an upload that fails is begun anew.
    """

    def __init__(self, root: Path, remote: Remote, *, patience_s: float = _UPLOAD_PATIENCE_S) -> None:
        self._root = root
        self._remote = remote
        self._local = FetchingStore(root, lambda: remote)
        self._patience_s = patience_s

    def save(self, checkpoint: Checkpoint, *, folder: str, number: int) -> StoredCheckpoint:
        """See `CheckpointStore.save`; when this returns, the checkpoint is in both places, or in neither."""
        stored = self._local.save(checkpoint, folder=folder, number=number)
        try:
            persistently(
                lambda: upload_checkpoint(self._remote, self._root, stored.relative_path),
                patience_s=self._patience_s,
            )
        except BaseException as error:
            self._local.delete(stored.relative_path)
            if isinstance(error, RemoteError):
                raise CheckpointError(f"A checkpoint cannot be uploaded. {error}") from error
            raise
        return stored

    def open(
        self,
        relative_path: str,
        *,
        trusted: bool = False,
        checkpoint_id: CheckpointId | None = None,
    ) -> Checkpoint:
        """See `CheckpointStore.open`."""
        return self._local.open(relative_path, trusted=trusted, checkpoint_id=checkpoint_id)

    def delete(self, relative_path: str) -> None:
        """See `CheckpointStore.delete`."""
        self._local.delete(relative_path)
        with _as_checkpoint_error():
            patiently(lambda: delete_checkpoint(self._remote, relative_path))

    def sync(self, relative_path: str) -> None:
        """See `CheckpointStore.sync`. What was saved is in the remote folder, too, and safe there."""
        self._local.sync(relative_path)

    def sweep(self, known: Collection[str]) -> list[str]:
        """See `CheckpointStore.sweep`."""
        with _as_checkpoint_error():
            leftovers = patiently(lambda: checkpoints_in(self._remote)) - set(known)
            for path in leftovers:
                patiently(partial(delete_checkpoint, self._remote, path))
        return sorted(leftovers | set(self._local.sweep(known)))


def _is_of_another_save(folder: Path, manifest: bytes) -> bool:
    """Whether the manifest in a folder is whole, and is not this one."""
    try:
        return read_manifest(folder) is not None and (folder / MANIFEST_NAME).read_bytes() != manifest
    except CorruptCheckpointError:
        return False


@contextlib.contextmanager
def _as_checkpoint_error() -> Iterator[None]:
    try:
        yield
    except RemoteError as error:
        raise CheckpointError(str(error)) from error
