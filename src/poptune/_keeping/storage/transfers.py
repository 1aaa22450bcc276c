"""Brings single checkpoints to a remote folder and back, each as a whole or not at all.

Remotely, as in a folder, a checkpoint is there if its manifest is: that is written last and deleted first.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Collection
from pathlib import Path

from poptune._base.places import checkpoint_of, lie_with_their_trials
from poptune._keeping.checkpoints.manifest import MANIFEST_NAME, missing_file, read_manifest
from poptune._keeping.storage.remote import Remote, read_or_none
from poptune._keeping.storage.remote_errors import MissingObjectError
from poptune.errors import CorruptCheckpointError


def manifest_of(relative_path: str) -> str:
    """Return the name of the object by which a checkpoint is there as a whole."""
    return f"{relative_path}/{MANIFEST_NAME}"


def upload_checkpoint(remote: Remote, root: Path, relative_path: str) -> None:
    """Have a checkpoint be in the remote folder. One attempt; if it breaks off, the checkpoint is not there.

    Args:
        remote: The experiment's remote folder.
        root: The experiment's folder.
        relative_path: The checkpoint's place in both.

    Raises:
        CorruptCheckpointError: It is not whole here.
        RemoteError: The storage fails.
    """
    folder = root / relative_path
    manifest = read_manifest(folder)
    if manifest is None:
        raise missing_file("with its manifest", folder)
    manifest_name = manifest_of(relative_path)
    try:
        content = (folder / MANIFEST_NAME).read_bytes()
        there = read_or_none(remote, manifest_name)
        if there == content:
            return
        if there is not None:  # of a save that nobody knows of, under the same number
            remote.delete(manifest_name)
        for name in manifest.files:
            remote.upload(folder / name, f"{relative_path}/{name}")
    except FileNotFoundError as error:
        raise missing_file(Path(error.filename or "").name, folder) from error
    remote.write(manifest_name, content)


def download_checkpoint(remote: Remote, root: Path, relative_path: str) -> None:
    """Have a checkpoint be in the local folder. One attempt.

    Raises:
        CorruptCheckpointError: It is not, or not wholly, in the remote folder.
        RemoteError: The storage fails.
    """
    target = root / relative_path
    aside = target.with_name(f".tmp-{target.name}-{uuid.uuid4().hex[:8]}")
    try:
        aside.mkdir(parents=True)
        remote.download(manifest_of(relative_path), aside / MANIFEST_NAME)
        manifest = read_manifest(aside)
        assert manifest is not None
        for name in manifest.files:
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            remote.download(f"{relative_path}/{name}", aside / name)
        if not target.exists():
            aside.rename(target)
    except MissingObjectError as error:
        raise CorruptCheckpointError(
            f"Checkpoint {remote.url}/{relative_path} must be there to be read, but it is not, or not whole: "
            "it was deleted, as clean-up does with old checkpoints, or not uploaded to its end. Use another."
        ) from error
    except OSError:
        if not target.exists():  # or else another process was faster
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def checkpoints_in(remote: Remote) -> set[str]:
    """Return the relative paths of all checkpoints of which there is something in a remote folder."""
    return checkpoints_among(remote.sizes())


def checkpoints_among(names: Collection[str]) -> set[str]:
    """Return the relative paths of the checkpoints that objects with these names are of."""
    with_trials = lie_with_their_trials(names)
    return {path for name in names if (path := checkpoint_of(name, with_trials=with_trials))}


def delete_checkpoint(remote: Remote, relative_path: str) -> None:
    """Delete a checkpoint from the remote folder; one that is not there is no error."""
    remote.delete(manifest_of(relative_path))
    for name in remote.sizes(relative_path):
        remote.delete(name)
