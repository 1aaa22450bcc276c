"""``ray.tune.Checkpoint``: a saved state by the path of its folder, as Ray gives and takes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike, fspath
from pathlib import Path
from typing import Any, NoReturn

import poptune
from poptune._keeping.checkpoints.manifest import MANIFEST_NAME
from poptune.errors import CheckpointError, ConfigurationError

_METADATA_NAME = ".metadata.json"
_NOT_MIRRORED = {
    "filesystem": "checkpoints are folders of this machine: use checkpoint.path",
    **dict.fromkeys(
        ("from_uri", "to_uri", "uri"), "set the storage_path to the URL, and checkpoints are brought there"
    ),
    **dict.fromkeys(("from_bytes", "to_bytes"), "use to_directory(path) and from_directory(path)"),
    **dict.fromkeys(
        ("get_preprocessor", "set_preprocessor", "get_internal_representation"),
        "keep it in the dict or the folder itself",
    ),
}


class _CheckpointClass(type):
    def __getattr__(cls, name: str) -> NoReturn:
        raise _no_attribute(name)


class Checkpoint(metaclass=_CheckpointClass):
    """A saved state in a folder; or in memory, where it was made from a dict.

    Two are equal if they are of the same folder.

    Args:
        path: The folder; or a checkpoint of poptune's own.
        filesystem: Only ``None`` can be honoured.

    Raises:
        ConfigurationError: There is no such folder, or a file system is given.
    """

    def __init__(self, path: str | PathLike[str] | poptune.Checkpoint, filesystem: object = None) -> None:
        if filesystem is not None:
            raise ConfigurationError(
                "Checkpoint(filesystem=...) cannot be honoured here, where it is a folder of this machine, "
                f"got {filesystem!r}: leave it out"
            )
        self._native = path if isinstance(path, poptune.Checkpoint) else _from_folder(path)

    @classmethod
    def from_native(cls, native: poptune.Checkpoint) -> Checkpoint:
        """Return a checkpoint of poptune's own in this form."""
        return cls(native)

    @classmethod
    def from_dict(cls, data: dict[Any, Any]) -> Checkpoint:
        """A checkpoint of a dict, as in 2022."""
        return cls.from_native(poptune.Checkpoint.from_dict(data))

    @classmethod
    def from_directory(cls, path: str | PathLike[str]) -> Checkpoint:
        """A checkpoint of all files in a folder."""
        return cls(path)

    @property
    def native(self) -> poptune.Checkpoint:
        """The same as poptune's own."""
        return self._native

    @property
    def path(self) -> str:
        """The folder that it lies in. One made from a dict is in none until it is reported.

        Raises:
            CheckpointError: It is in memory only.
        """
        if self._native.path is None:
            raise CheckpointError(
                f"A checkpoint has a path once it is in a folder, but {self!r} is not: report it, or call "
                "to_directory()"
            )
        return str(self._native.path)

    def to_dict(self, *, trusted: bool = False) -> dict[Any, Any]:
        """The dict; of a folder's checkpoint, the bytes of each file by its relative path."""
        return self._native.to_dict(trusted=trusted)

    def to_directory(self, path: str | PathLike[str] | None = None) -> str:
        """Write the files to a folder, by default a new temporary one, and return its path."""
        return str(self._native.to_directory(path))

    @contextmanager
    def as_directory(self) -> Iterator[str]:
        """The checkpoint as a folder, to be read only, for the length of a ``with`` block."""
        with self._native.as_directory() as folder:
            yield folder

    def get_metadata(self) -> dict[str, Any]:
        """Return what :meth:`set_metadata` has written; nothing was, by default."""
        file = Path(self.path, _METADATA_NAME)
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}

    def set_metadata(self, metadata: dict[str, Any]) -> None:
        """Write a file of metadata into the folder, before it is reported.

        Raises:
            CheckpointError: It was reported: what is stored stays as it is.
        """
        if Path(self.path, MANIFEST_NAME).exists():
            raise CheckpointError(
                f"Metadata must be set before a checkpoint is reported, but {self!r} is stored already: set "
                "it on what Checkpoint.from_directory returns, then report that"
            )
        Path(self.path, _METADATA_NAME).write_text(json.dumps(metadata), encoding="utf-8")

    def update_metadata(self, metadata: dict[str, Any]) -> None:
        """Add to the metadata; see :meth:`set_metadata`."""
        self.set_metadata({**self.get_metadata(), **metadata})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Checkpoint):
            return NotImplemented
        mine, theirs = self._native, other._native
        return mine is theirs or (mine.path is not None and mine.path == theirs.path)

    def __hash__(self) -> int:
        return hash(self._native if self._native.path is None else self._native.path)

    def __getattr__(self, name: str) -> NoReturn:
        raise _no_attribute(name)

    def __repr__(self) -> str:
        return repr(self._native)


def _from_folder(path: str | PathLike[str]) -> poptune.Checkpoint:
    return poptune.Checkpoint.from_directory(fspath(path).removeprefix("file://"))


def _no_attribute(name: str) -> AttributeError:
    if name in _NOT_MIRRORED:
        return AttributeError(f"Checkpoint.{name} is not mirrored: {_NOT_MIRRORED[name]}")
    return AttributeError(f"Checkpoint has no attribute {name!r}")


def to_native(checkpoint: object) -> Any:
    """Return a checkpoint of either kind as poptune's own; anything else as it is, for the error it makes."""
    return checkpoint.native if isinstance(checkpoint, Checkpoint) else checkpoint


def of_native(checkpoint: poptune.Checkpoint | None) -> Checkpoint | None:
    """Return a checkpoint that there may be in Ray's form."""
    return None if checkpoint is None else Checkpoint.from_native(checkpoint)
