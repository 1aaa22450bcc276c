"""A saved state, in memory or in a folder, that can be read as a dict or as files."""

from __future__ import annotations

import copy
import shutil
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from poptune._keeping.checkpoints.codec import Encoded, encode, read_dict, write_dict
from poptune._keeping.checkpoints.manifest import (
    Kind,
    Manifest,
    check_content,
    check_files,
    check_sizes,
    copy_files,
    deleted,
    missing_file,
    read_manifest,
    remove_files,
    walk,
)
from poptune.errors import CheckpointError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    from poptune._base.types import CheckpointId


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Checkpoint:
    """A saved state of a trial: a dict, or a folder of files.

    What you call, in training code and on results:

    - ``Checkpoint.from_dict({...})`` makes one of plain values, arrays, tensors and all that can be pickled;
      ``Checkpoint.from_directory(path)`` one of the files that you have written. Give it to
      ``tune.report(metrics, checkpoint=...)``, which stores it before it returns.
    - ``to_dict()`` gives the dict back, also of a folder's files; ``to_directory(path)`` writes the files to
      a folder of yours; ``with checkpoint.as_directory() as folder:`` lets you read them where they are.
    - ``path`` is where a stored one lies, ``id`` its name for ever, and ``verify()`` compares its files with
      their checksums.

    ``tune.get_checkpoint()`` and ``result.checkpoint`` return one. All else is for stores; do not make one by
    the class itself.

    Example:
        >>> checkpoint = Checkpoint.from_dict({"step": 3})
        >>> checkpoint.to_dict()
        {'step': 3}
    """

    path: Path | None = None
    """The folder that it lies in, or None while it is only in memory. Not to be written into."""
    id: CheckpointId | None = None
    """Its name in the experiment, once it is stored."""
    _data: dict[Any, Any] | None = None
    _encoded: Encoded | None = None
    _manifest: Manifest | None = None
    _trusted: bool = False

    @classmethod
    def from_dict(cls, data: dict[Any, Any]) -> Checkpoint:
        """A checkpoint of a dict, whose values may be arrays, tensors, and all that can be pickled.

        They are copied when the checkpoint is stored, not now.
        """
        if not isinstance(data, dict):
            raise ConfigurationError(
                f"Checkpoint.from_dict needs a dict, not a {type(data).__name__}: wrap it, for "
                "example "
                'Checkpoint.from_dict({"state": value}).'
            )
        return cls(_data=copy.copy(data))

    @classmethod
    def from_directory(cls, path: str | PathLike[str]) -> Checkpoint:
        """A checkpoint of all files in a folder, which must stay as they are until it is stored.

        A folder that `to_directory` or `as_directory` wrote from a dict is that dict's checkpoint
        again, unless other files were added to it.
        """
        folder = Path(path).expanduser().absolute()
        if not folder.is_dir():
            raise ConfigurationError(
                f"Checkpoint.from_directory needs an existing folder, but {folder} is none: create "
                "it and write the files first."
            )
        manifest = read_manifest(folder)
        if manifest is None or manifest.kind == "directory" or _names(folder) - manifest.files.keys():
            return cls(path=folder)
        return cls(path=folder, _manifest=manifest)

    @classmethod
    def from_store(
        cls, path: Path, *, checkpoint_id: CheckpointId | None = None, trusted: bool = False
    ) -> Checkpoint:
        """For stores: a checkpoint that `write` has written to `path`.

        Args:
            path: Its folder.
            checkpoint_id: Its name in the experiment.
            trusted: The run itself wrote it, so that its pickled objects may be opened.

        Raises:
            CheckpointError: It was deleted.
            CorruptCheckpointError: Its manifest is missing or malformed.
        """
        manifest = read_manifest(path)
        if manifest is None:
            raise missing_file("with its manifest", path)
        return cls(path=path, id=checkpoint_id, _manifest=manifest, _trusted=trusted)

    def to_dict(self, *, trusted: bool = False, verify: bool = True) -> dict[Any, Any]:
        """The dict; of a folder's checkpoint, the bytes of each file by its relative path.

        Arrays and tensors of a stored checkpoint are private views of its file: what is written
        into them never reaches it. Tensors come back on the CPU, JAX arrays as numpy arrays.

        Args:
            trusted: Open pickled objects, which runs code of whoever wrote the checkpoint. Inside
                the run that wrote it there is no need to say so.
            verify: Compare each file with its checksum.

        Raises:
            UntrustedCheckpointError: It holds pickled objects and is not trusted.
            CorruptCheckpointError: Its files are not those that were written.
            CheckpointError: It was deleted, or cannot be read.
        """
        if self.path is None:
            return copy.copy(self._data or {})
        with self._os_errors_explained():
            if self._manifest is None or self._manifest.kind == "directory":
                return self._read_files(self.path, verify=verify)
            return read_dict(self.path, self._manifest, trusted=trusted or self._trusted, verify=verify)

    def verify(self) -> None:
        """Compare the files of a stored checkpoint with their checksums; nothing in them is opened.

        Raises:
            CorruptCheckpointError: Its files are not those that were written.
            CheckpointError: It was deleted, or cannot be read.
        """
        if self.path is not None and self._manifest is not None:
            with self._os_errors_explained():
                check_files(self._manifest, self.path)

    def to_directory(self, path: str | PathLike[str] | None = None) -> Path:
        """Write the checkpoint's files to a folder of yours, which is created if need be.

        Files of the same name are replaced. Without `path` the folder is a new temporary one.
        """
        if path is not None:
            return self._copy_to(Path(path).expanduser().absolute())
        folder = Path(tempfile.mkdtemp(prefix="checkpoint_"))
        try:
            return self._copy_to(folder)
        except BaseException:
            shutil.rmtree(folder)
            raise

    @contextmanager
    def as_directory(self) -> Iterator[str]:
        """The checkpoint as a folder, to be read only, for the length of a ``with`` block.

        A checkpoint of a folder is that folder itself, without a copy.

        Raises:
            CheckpointError: It was deleted; or, at the end of the block, one of its files was changed in it.
        """
        if self.kind == "directory" and self.path is not None:
            if not self.path.is_dir():
                raise deleted(self.path)
            if self._manifest is not None:
                check_sizes(self._manifest, self.path)
            with self._left_as_it_is(self.path):
                yield str(self.path)
            return
        with tempfile.TemporaryDirectory(prefix="checkpoint_") as folder:
            yield str(self._copy_to(Path(folder)))

    @contextmanager
    def _left_as_it_is(self, path: Path) -> Iterator[None]:
        """Raise if a file of a stored checkpoint was written by whoever was to read it."""
        before = _stamps(self._manifest, path)
        yield
        after = _stamps(self._manifest, path)
        if changed := sorted(name for name, stamp in before.items() if after.get(name, stamp) != stamp):
            raise CheckpointError(
                f"The folder that as_directory() gives is the stored checkpoint itself, to be read only, but "
                f"{changed[0]} was changed in {path}, which damages it for every trial that stands on it: "
                "take a copy to write into, to_directory()"
            )

    def write(self, folder: Path) -> Manifest:
        """For stores: write the checkpoint and its manifest into an empty folder.

        Raises:
            OSError: The folder cannot be written.
            CheckpointError: A value cannot be saved, or a file cannot be read.
        """
        if self._encoded is not None:
            return self._encoded.write(folder)
        if self.path is None:
            return write_dict(self._data or {}, folder)
        if not self.path.is_dir():
            raise deleted(self.path)
        manifest = Manifest(self.kind, copy_files(self.path, folder, self._manifest))
        manifest.write(folder)
        return manifest

    def detached(self) -> Checkpoint:
        """For stores: the same, with copies of all that might change before it is written.

        A checkpoint of a folder is returned as it is: its files may change or go at any time.

        Raises:
            CheckpointError: A value cannot be saved.
        """
        return self if self.path is not None else replace(self, _encoded=encode(self._data or {}).detached())

    def _copy_to(self, folder: Path) -> Path:
        if self.path is not None and folder.resolve() == self.path.resolve():
            return folder
        with self._os_errors_explained():
            folder.mkdir(parents=True, exist_ok=True)
            remove_files(folder)
            if self.kind == "dict":
                self.write(folder)
            elif self.path is not None:
                copy_files(self.path, folder, self._manifest)
        return folder

    @property
    def kind(self) -> Kind:
        """Whether it is of a ``"dict"`` or of a ``"directory"``."""
        if self.path is None:
            return "dict"
        return "directory" if self._manifest is None else self._manifest.kind

    def _read_files(self, folder: Path, *, verify: bool) -> dict[Any, Any]:
        names = self._manifest.files if self._manifest else sorted(_names(folder))
        if self._manifest and verify:
            check_sizes(self._manifest, folder)
        contents = {name: (folder / name).read_bytes() for name in names}
        if self._manifest and verify:
            for name, record in self._manifest.files.items():
                check_content(contents[name], record, name=name, folder=folder)
        return contents

    @contextmanager
    def _os_errors_explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if self.path is not None and not self.path.is_dir():
                raise deleted(self.path) from error
            raise CheckpointError(
                f"{self!r} must be read or copied, but the system says: {error}. Look to the "
                "permissions and the space of that folder."
            ) from error

    def __repr__(self) -> str:
        """Where it is, or which keys it has."""
        if self.path is None:
            return f"<Checkpoint in memory: {', '.join(map(str, self._data or {}))}>"
        return f"<Checkpoint {self.id or self.path}>"


def _stamps(manifest: Manifest | None, folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of the last change of each file that is there."""
    stamps = {}
    for name in manifest.files if manifest else ():
        with suppress(OSError):  # clean-up may take a checkpoint that nobody needs any more
            status = (folder / name).stat()
            stamps[name] = status.st_size, status.st_mtime_ns
    return stamps


def _names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in walk(folder) if path.is_file()}
