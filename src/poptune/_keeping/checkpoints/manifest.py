"""A checkpoint folder's list of its own files, by which it is known to be whole."""

from __future__ import annotations

import json
import os
import threading
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from poptune.errors import CheckpointError, CorruptCheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from io import FileIO

MANIFEST_NAME = ".poptune_manifest.json"
FORMAT_NAME = "poptune-checkpoint"
FORMAT_VERSION = 2

_CHUNK_BYTES = 1 << 20
"""Small enough that a chunk is still in the processor's cache when its checksum is taken."""

_LARGE_BYTES = 64 << 20
"""Of so much the checksum is taken by another thread while it is written, which takes as long. For less it is
not worth to wait until a thread begins, where all cores are busy."""

MALFORMED = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError)
"""What reading raises for files that no writer of ours has written."""

_NOWHERE = frozenset({"", ".", ".."})
"""What no part of a path within the folder may be."""

Kind = Literal["dict", "directory"]
"""Whether a checkpoint was made from a dict or from a folder of the user's."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What a file must be."""

    crc32: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """The kind of a checkpoint and its files, by their paths within the folder."""

    kind: Kind
    files: Mapping[str, FileRecord]

    @property
    def size_bytes(self) -> int:
        """The size of all files together."""
        return sum(record.size_bytes for record in self.files.values())

    def write(self, folder: Path) -> None:
        """Write the manifest into the folder that it describes."""
        files = {
            name: {"crc32": record.crc32, "size_bytes": record.size_bytes}
            for name, record in self.files.items()
        }
        content = {"format": FORMAT_NAME, "version": FORMAT_VERSION, "kind": self.kind, "files": files}
        with RecordedFile.create(folder / MANIFEST_NAME) as file:
            file.write(json.dumps(content).encode())


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder, or None if it has none.

    Raises:
        CheckpointError: A later version of poptune wrote the checkpoint.
        CorruptCheckpointError: The manifest is malformed.
    """
    try:
        text = (folder / MANIFEST_NAME).read_bytes()
    except FileNotFoundError:
        return None
    try:
        return _parse(json.loads(text), folder)
    except MALFORMED as error:
        raise CorruptCheckpointError(
            f"{MANIFEST_NAME} of checkpoint {folder} must be a manifest of poptune, but it is not "
            f"({error!r}): use another checkpoint."
        ) from error


def _parse(content: Any, folder: Path) -> Manifest:
    if content["format"] != FORMAT_NAME:
        raise ValueError(content["format"])
    if content["version"] != FORMAT_VERSION:
        raise CheckpointError(
            f"Checkpoint {folder} must have format version {FORMAT_VERSION}, but it has "
            f"{content['version']}: read it with the version of poptune that wrote it, or a later "
            "one."
        )
    if content["kind"] not in {"dict", "directory"}:
        raise ValueError(content["kind"])
    files = {}
    for name, record in content["files"].items():
        if not _NOWHERE.isdisjoint(name.split("/")):
            raise ValueError(name)
        files[name] = FileRecord(int(record["crc32"]), int(record["size_bytes"]))
    return Manifest(content["kind"], files)


class RecordedFile:
    """A new file, whose record is taken while it is written."""

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self._crc32 = 0
        self._size_bytes = 0

    @classmethod
    @contextmanager
    def create(cls, path: Path) -> Iterator[RecordedFile]:
        """Open the file for writing; it must not exist."""
        with path.open("xb", buffering=0) as file:
            yield cls(file)

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes."""
        view = memoryview(data)
        self._size_bytes += len(view)
        if len(view) < _LARGE_BYTES:
            for start in range(0, len(view), _CHUNK_BYTES):
                chunk = view[start : start + _CHUNK_BYTES]
                self._write(chunk)
                self._add(chunk)
            return
        adding = threading.Thread(target=self._add, args=(view,), daemon=True)
        adding.start()
        try:
            self._write(view)
        finally:
            adding.join()

    def _write(self, view: memoryview) -> None:
        while view:  # the system takes at most 2 GB at once
            view = view[self._file.write(view) :]

    def _add(self, view: memoryview) -> None:
        self._crc32 = zlib.crc32(view, self._crc32)

    @property
    def record(self) -> FileRecord:
        """What was written up to now."""
        return FileRecord(self._crc32, self._size_bytes)


def check_content(content: Any, record: FileRecord, *, name: str, folder: Path, verify: bool = True) -> None:
    """Compare a file's content with its record; without `verify` only its size.

    Raises:
        CorruptCheckpointError: They differ.
    """
    crc32 = zlib.crc32(content) if verify else record.crc32
    found = FileRecord(crc32, memoryview(content).nbytes)
    if found != record:
        raise _differs(name, folder, record, found)


def check_sizes(manifest: Manifest, folder: Path) -> None:
    """Compare the files' sizes with the manifest, which needs no reading.

    Raises:
        CorruptCheckpointError: A file is missing or has another size.
    """
    for name, record in manifest.files.items():
        try:
            size_bytes = (folder / name).stat().st_size
        except FileNotFoundError as error:
            raise missing_file(name, folder) from error
        if size_bytes != record.size_bytes:
            raise _differs(name, folder, record.size_bytes, size_bytes)


def check_files(manifest: Manifest, folder: Path) -> None:
    """Compare all files with the manifest, reading each of them to its end.

    Raises:
        CorruptCheckpointError: A file is missing or is not the one that was written.
        OSError: A file cannot be read.
    """
    check_sizes(manifest, folder)
    for name, record in manifest.files.items():
        crc32 = 0
        with (folder / name).open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                crc32 = zlib.crc32(chunk, crc32)
        if crc32 != record.crc32:
            raise _differs(name, folder, record, FileRecord(crc32, record.size_bytes))


def missing_file(name: str, folder: Path) -> CheckpointError:
    """The error for a file that is not there, which depends on whether the folder is."""
    if not folder.is_dir():
        return deleted(folder)
    return CorruptCheckpointError(
        f"Checkpoint {folder} must have the file {name}, but it is missing: use another checkpoint."
    )


def deleted(folder: Path) -> CorruptCheckpointError:
    """The error for a checkpoint that is no longer there."""
    return CorruptCheckpointError(
        f"Checkpoint {folder} must be there to be read, but it has been deleted, as clean-up does "
        "with old checkpoints: keep more of them, or use another one."
    )


def _differs(name: str, folder: Path, expected: object, found: object) -> CorruptCheckpointError:
    return CorruptCheckpointError(
        f"{name} of checkpoint {folder} must be as it was written ({expected}), but it has changed "
        f"({found}): use another checkpoint."
    )


def copy_files(source: Path, target: Path, manifest: Manifest | None) -> dict[str, FileRecord]:
    """Copy all that is in a folder, save its manifest. Links are followed.

    Args:
        source: The folder.
        target: Where to; it must exist.
        manifest: What the files must be, if that is known.

    Returns:
        The records of the copied files, by their paths within the folder.
    """
    if target.resolve().is_relative_to(source.resolve()):
        raise CheckpointError(
            f"A checkpoint's folder must not hold the place that it is copied to, but {source} holds "
            f"{target}: save a folder of the trial's own, such as the one that it works in, "
            'Checkpoint.from_directory(".")'
        )
    expected = manifest.files if manifest else {}
    records = {}
    for path in walk(source):
        copy = target / path.relative_to(source)
        if path.is_dir():
            copy.mkdir(exist_ok=True)
            continue
        name = path.relative_to(source).as_posix()
        if not path.is_file() and (path.is_symlink() or not path.exists()):
            continue  # it leads nowhere, or was removed this moment: others may use the folder, too
        if not path.is_file():
            raise CheckpointError(
                f"A checkpoint's folder must hold files and folders, but {path} is neither: remove it."
            )
        copy.unlink(missing_ok=True)
        try:
            records[name] = _copy_file(path, copy)
        except FileNotFoundError:
            continue
        if name in expected and records[name] != expected[name]:
            raise _differs(name, source, expected[name], records[name])
    for name in expected.keys() - records.keys():
        raise missing_file(name, source)
    return records


def _copy_file(source: Path, target: Path) -> FileRecord:
    with source.open("rb") as file, RecordedFile.create(target) as recorded:
        while chunk := file.read(_CHUNK_BYTES):
            recorded.write(chunk)
    target.chmod(source.stat().st_mode)
    return recorded.record


def remove_files(folder: Path) -> None:
    """Remove a dict checkpoint that lies in a folder: no file of it may outlive its manifest."""
    manifest = read_manifest(folder)
    if manifest is not None and manifest.kind == "dict":
        for name in (*manifest.files, MANIFEST_NAME):
            (folder / name).unlink(missing_ok=True)


def walk(folder: Path) -> Iterator[Path]:
    """All files and folders in a folder, save its manifest; links are followed."""
    return _walk(folder, (folder.resolve(),))


def _walk(folder: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(entry.path)
        if entry.name == MANIFEST_NAME and len(above) == 1:
            continue
        yield path
        if path.is_dir():
            real = path.resolve()
            if real in above:
                raise CheckpointError(
                    f"A checkpoint's folder must not contain itself, but {path} leads to {real}: "
                    "remove the link."
                )
            yield from _walk(path, (*above, real))
