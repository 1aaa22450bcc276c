"""Where an experiment's checkpoints lie. Nothing else writes, names or deletes them."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, final

from poptune._base.places import CHECKPOINTS, checkpoint_path, is_checkpoint_path, lie_with_their_trials
from poptune._keeping.checkpoints.checkpoint import Checkpoint
from poptune._keeping.checkpoints.manifest import MANIFEST_NAME, deleted, missing_file
from poptune.errors import CheckpointError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from poptune._base.types import CheckpointId

_ASIDE_PREFIX = ".tmp-checkpoint_"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCheckpoint:
    """What a store knows of a checkpoint that it has written."""

    relative_path: str
    """Its path in the experiment's folder, such as ``checkpoints/train_69158_00000/checkpoint_000004``."""
    number: int
    """Which of the trial's saves it is."""
    size_bytes: int
    """The size of its files together."""


class CheckpointStore(Protocol):
    """Keeps checkpoints, each the same until it is deleted.

    `poptune.testing.checkpoint_stores` has the tests that every store must pass.
    """

    def save(self, checkpoint: Checkpoint, *, folder: str, number: int) -> StoredCheckpoint:
        """Write a checkpoint, wholly or not at all.

        Once this has returned, the state that the checkpoint was made from may change.

        Args:
            checkpoint: What to write.
            folder: What the trial's checkpoints lie in, relative to the experiment's folder.
            number: Counts the trial's saves. A leftover of the same number is replaced.

        Raises:
            CheckpointError: It cannot be written.
        """
        ...

    def open(
        self,
        relative_path: str,
        *,
        trusted: bool = False,
        checkpoint_id: CheckpointId | None = None,
    ) -> Checkpoint:
        """A checkpoint that was saved. Its content is read later, when it is asked for.

        Args:
            relative_path: What `save` has answered.
            trusted: The run itself wrote it, so that its pickled objects may be opened.
            checkpoint_id: Its name in the experiment.

        Raises:
            CheckpointError: It was deleted, or it is corrupt.
        """
        ...

    def delete(self, relative_path: str) -> None:
        """Delete a checkpoint; one that is not there is no error. It disappears as a whole."""
        ...

    def sync(self, relative_path: str) -> None:
        """Return when a loss of power can no longer lose the checkpoint."""
        ...

    def sweep(self, known: Collection[str]) -> list[str]:
        """Remove what no journal knows. Not to be called while anyone saves.

        Args:
            known: The relative paths of the checkpoints to keep.

        Returns:
            The relative paths of what was removed.
        """
        ...


@final
class DirectoryStore:
    """Keeps the checkpoints in the experiment's folder, as ``checkpoints/<trial folder>/checkpoint_000004/``.

    Args:
        root: The experiment's folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def save(self, checkpoint: Checkpoint, *, folder: str, number: int) -> StoredCheckpoint:
        """See `CheckpointStore.save`. It is written aside, and renamed when it is whole."""
        relative_path = checkpoint_path(folder, number)
        target = self._path(relative_path)
        aside = _aside(target)
        try:
            with _removed_on_failure(aside):
                _make_folder(aside)
                manifest = checkpoint.write(aside)
                if target.exists():
                    _require_replaceable(target)
                    _discard(target)
                aside.rename(target)
        except OSError as error:
            raise CheckpointError(
                f"Checkpoint {target} must be written, but the system says: {error}. Make room, or "
                "choose another storage_path."
            ) from error
        return StoredCheckpoint(relative_path=relative_path, number=number, size_bytes=manifest.size_bytes)

    def open(
        self,
        relative_path: str,
        *,
        trusted: bool = False,
        checkpoint_id: CheckpointId | None = None,
    ) -> Checkpoint:
        """See `CheckpointStore.open`."""
        path = self._path(relative_path)
        return Checkpoint.from_store(path, checkpoint_id=checkpoint_id, trusted=trusted)

    def delete(self, relative_path: str) -> None:
        """See `CheckpointStore.delete`. It is renamed before its files are removed."""
        _discard(self._path(relative_path))

    def sync(self, relative_path: str) -> None:
        """See `CheckpointStore.sync`."""
        checkpoint = self._path(relative_path)
        if not checkpoint.is_dir():
            raise deleted(checkpoint)
        try:
            for folder, _, names in os.walk(checkpoint, topdown=False):
                for path in (*(Path(folder, name) for name in names), Path(folder)):
                    _sync(path)
            for above in checkpoint.parents:
                _sync(above)
                if above == self._root:
                    break
        except FileNotFoundError as error:  # somebody removes it at this moment
            raise missing_file(Path(error.filename).name, checkpoint) from error
        except OSError as error:
            raise CheckpointError(
                f"Checkpoint {checkpoint} must be brought to the disk, but the system says: "
                f"{error}. Look to the disk's health and space."
            ) from error

    def sweep(self, known: Collection[str]) -> list[str]:
        """See `CheckpointStore.sweep`. What lies in the trials' folders is the user's, and stays."""
        with_trials = bool(known) and lie_with_their_trials(known)
        leftovers = [path for path in self._all_paths(with_trials) if self._relative(path) not in known]
        for path in leftovers:
            _discard(path)
        return [self._relative(path) for path in leftovers]

    def _all_paths(self, with_trials: bool) -> Iterator[Path]:
        """The checkpoints, and what a killed process has left of one."""
        for path in sorted(self._root.glob(f"{'*' if with_trials else f'{CHECKPOINTS}/*'}/*checkpoint_*")):
            is_ours = is_checkpoint_path(self._relative(path)) and _has_manifest(path)
            if is_ours or path.name.startswith(_ASIDE_PREFIX):
                yield path

    def _relative(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()

    def _path(self, relative_path: str) -> Path:
        if not is_checkpoint_path(relative_path):
            raise ConfigurationError(
                "A checkpoint's path must be checkpoints/<trial folder>/checkpoint_<number>, relative to the "
                f"experiment's folder, not {relative_path!r}: pass the path that save() has "
                "answered."
            )
        return self._root / relative_path


def _aside(path: Path) -> Path:
    return path.with_name(f".tmp-{path.name}-{os.urandom(4).hex()}")


@contextmanager
def _removed_on_failure(folder: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _make_folder(path: Path) -> None:
    try:
        path.mkdir()
    except FileNotFoundError:
        path.mkdir(parents=True)


def _has_manifest(path: Path) -> bool:
    return (path / MANIFEST_NAME).is_file()


def _require_replaceable(target: Path) -> None:
    if not _has_manifest(target):
        raise CheckpointError(
            f"Checkpoint {target} must be written, but something else has that name: move it away."
        )


def _discard(path: Path) -> None:
    is_aside = path.name.startswith(_ASIDE_PREFIX)
    aside = path if is_aside else _aside(path)
    try:
        if not is_aside:
            path.rename(aside)
        shutil.rmtree(aside)
    except FileNotFoundError:
        return
    except OSError as error:
        raise CheckpointError(
            f"{path} must be deleted, but the system says: {error}. Look to the folder's permissions."
        ) from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
