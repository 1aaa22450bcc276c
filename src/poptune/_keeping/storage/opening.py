"""The store of an experiment's checkpoints, wherever that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poptune._keeping import storage
from poptune._keeping.checkpoints import CheckpointStore, DirectoryStore

if TYPE_CHECKING:
    from pathlib import Path


def open_store(root: Path, remote: str = "", *, uploads: bool = False) -> CheckpointStore:
    """Return the store of an experiment's checkpoints.

    Args:
        root: The experiment's folder on this machine.
        remote: The URL of its remote folder; empty if it has none.
        uploads: Whether this process brings there what it saves, because the controller, which does that for
            everybody on its own machine, cannot see this folder.
    """
    if not remote:
        return DirectoryStore(root)
    if uploads:
        return storage.UploadingStore(root, storage.open_remote(remote))
    return storage.FetchingStore(root, lambda: storage.open_remote(remote))
