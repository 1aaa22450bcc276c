"""A dict in a folder: its plain values and arrays in one file that can be mapped, and the rest pickled.

```
state.safetensors     all arrays and tensors, named by their key paths; and in its header the skeleton:
                      the plain values, and where arrays and objects stand
objects.pkl           what is neither plain nor an array; absent where there is nothing
```
Reading runs no code that the writer chose, save what is in `objects.pkl`, and that is opened only
for those who trust it.
"""

from __future__ import annotations

import json
import mmap
import struct
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cloudpickle

from poptune._keeping.checkpoints.manifest import (
    MALFORMED,
    Manifest,
    RecordedFile,
    check_content,
    missing_file,
)
from poptune._keeping.checkpoints.safetensors_format import METADATA, Header, read_header
from poptune._keeping.checkpoints.skeleton import Json, Place, SkeletonReader, SkeletonWriter
from poptune.errors import CheckpointError, CorruptCheckpointError, UntrustedCheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from pathlib import Path

    from poptune._keeping.checkpoints.arrays import ArrayLeaf

STATE_NAME = "state.safetensors"
OBJECTS_NAME = "objects.pkl"

_SKELETON = "poptune.skeleton"
"""Under which name the skeleton stands among the file's metadata."""

_ARRAY_LIBRARIES = {"numpy", "torch", "jax"}
"""Where none of them is imported, no value can be an array."""

_MALFORMED = (*MALFORMED, struct.error)


def write_dict(data: dict[Any, Any], folder: Path) -> Manifest:
    """Write a dict into an existing folder. Once this has returned, the data may change.

    Raises:
        CheckpointError: A value cannot be pickled, or the data contain themselves.
    """
    return encode(data).write(folder)


def encode(data: dict[Any, Any]) -> Encoded:
    """Return what there is to write of a dict.

    Raises:
        CheckpointError: A value cannot be pickled, or the data contain themselves.
    """
    leaves = _Leaves()
    skeleton = {"parts": SkeletonWriter(leaves.write).write(data)}
    objects = b""
    if leaves.objects:
        skeleton["objects"] = list(map(str, leaves.object_places))
        objects = _pickle(leaves.objects, leaves.object_places)
    return Encoded(json.dumps(skeleton, allow_nan=False), leaves.arrays, objects)


@dataclass(frozen=True, slots=True)
class Encoded:
    """What there is to write of a dict; its arrays are still where they were."""

    skeleton: str
    arrays: dict[str, ArrayLeaf]
    objects: bytes

    def detached(self) -> Encoded:
        """Return the same with copies of the arrays, so that the dict may change before it is written."""
        return replace(self, arrays={name: leaf.detached() for name, leaf in self.arrays.items()})

    def write(self, folder: Path) -> Manifest:
        """Write it into an existing folder.

        Raises:
            OSError: The folder cannot be written.
        """
        with RecordedFile.create(folder / STATE_NAME) as file:
            self._write_state(file)
        files = {STATE_NAME: file.record}
        if self.objects:
            with RecordedFile.create(folder / OBJECTS_NAME) as file:
                file.write(self.objects)
            files[OBJECTS_NAME] = file.record
        manifest = Manifest("dict", files)
        manifest.write(folder)
        return manifest

    def _write_state(self, file: RecordedFile) -> None:
        metadata = {_SKELETON: self.skeleton}
        if not self.arrays:
            file.write(Header({}, metadata).encode())
            return
        from poptune._keeping.checkpoints.arrays import write_arrays

        write_arrays(file, self.arrays, metadata)


class _Leaves:
    """Takes what is not plain out of a skeleton."""

    def __init__(self) -> None:
        self.arrays: dict[str, ArrayLeaf] = {}
        self.objects: list[Any] = []
        self.object_places: list[Place] = []
        self._names: dict[Hashable, str] = {}

    def write(self, value: Any, place: Place) -> Json:
        if type(value) is bytes or sys.modules.keys() & _ARRAY_LIBRARIES:
            from poptune._keeping.checkpoints.leaves import leaf_of

            if (found := leaf_of(value)) is not None:
                tag, leaf = found
                return {tag: self._write_array(leaf, place)}
        self.objects.append(value)
        self.object_places.append(place)
        return {"$object": len(self.objects) - 1}

    def _write_array(self, leaf: ArrayLeaf, place: Place) -> Json:
        name = self._names.get(leaf.memory)
        if name is None:
            name = self._names[leaf.memory] = self._free_name(str(place))
            self.arrays[name] = leaf
        told: dict[str, Json] = {"name": name, "library": leaf.library, "dtype": leaf.dtype}
        if list(leaf.order) != sorted(leaf.order):
            told["order"] = list(leaf.order)
        return told | {trait: True for trait, is_set in leaf.traits.items() if is_set}

    def _free_name(self, path: str) -> str:
        name, copies = path, 1
        while name in self.arrays or name == METADATA:
            copies += 1
            name = f"{path}~{copies}"
        return name


def _pickle(objects: list[Any], places: list[Place]) -> bytes:
    try:
        return _dumps(objects)
    except Exception as error:
        for value, place in zip(objects, places, strict=True):
            _explain_failure(value, place)
        paths = ", ".join(map(str, places))
        raise CheckpointError(
            f"A checkpoint's values must be plain, arrays, or picklable, but {paths} cannot be "
            f"pickled together ({error!r}): leave some of them out."
        ) from error


def _explain_failure(value: Any, place: Place) -> None:
    try:
        _dumps(value)
    except Exception as error:
        raise CheckpointError(
            f"A checkpoint's values must be plain, arrays, or picklable, but {place} of type "
            f"{type(value).__module__}.{type(value).__qualname__} is not ({error!r}): leave it "
            "out, or save what it is made from."
        ) from error


def _dumps(value: Any) -> bytes:
    content: bytes = cloudpickle.dumps(value)
    return content


def read_dict(folder: Path, manifest: Manifest, *, trusted: bool, verify: bool = True) -> dict[Any, Any]:
    """Read a dict that `write_dict` has written.

    Its arrays are views of a private map of the array file: writable, and never written back.

    Raises:
        CorruptCheckpointError: The files are not those that were written.
        UntrustedCheckpointError: There are pickled objects, and `trusted` is false.
    """
    try:
        state = _content(folder, manifest, STATE_NAME, verify=verify)
        header = read_header(state)
        skeleton = json.loads(header.metadata[_SKELETON], parse_constant=_refuse_constant)
        objects: list[Any] = []
        if places := skeleton.get("objects"):
            _require_trust(trusted, places, folder)
            objects = _unpickle(_content(folder, manifest, OBJECTS_NAME, verify=verify), folder)
        readers: dict[str, Callable[[Any], Any]] = {"$object": objects.__getitem__}
        if header.arrays:
            from poptune._keeping.checkpoints import arrays, leaves

            readers |= leaves.readers(arrays.read_arrays(state, header))
        data = SkeletonReader(readers).read(skeleton["parts"])
        if not isinstance(data, dict):
            raise TypeError(f"the root must be a dict, not a {type(data).__name__}")
    except _MALFORMED as error:
        raise CorruptCheckpointError(
            f"The files of checkpoint {folder} must be those that poptune wrote, but they are "
            f"malformed ({error!r}): use another checkpoint."
        ) from error
    return data


def _content(folder: Path, manifest: Manifest, name: str, *, verify: bool) -> mmap.mmap:
    record = manifest.files[name]
    try:
        mapped = map_file(folder / name)
    except FileNotFoundError as error:
        raise missing_file(name, folder) from error
    except ValueError:  # it is empty, and cannot be mapped
        check_content(b"", record, name=name, folder=folder)
        raise
    check_content(mapped, record, name=name, folder=folder, verify=verify)
    return mapped


def map_file(path: Path) -> mmap.mmap:
    """Map a file privately: what is written into the map is never written into the file."""
    with path.open("rb", buffering=0) as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _require_trust(trusted: bool, places: list[str], folder: Path) -> None:
    if not trusted:
        raise UntrustedCheckpointError(
            f"Checkpoint {folder} must be trusted to be opened, as it holds pickled objects at "
            f"{', '.join(places)} and opening them runs code: if you know who wrote it, say "
            "trusted=True."
        )


def _unpickle(content: mmap.mmap, folder: Path) -> list[Any]:
    try:
        objects: list[Any] = cloudpickle.loads(content[:])
    except Exception as error:
        raise CheckpointError(
            f"The pickled objects of checkpoint {folder} need the code that they were made with, "
            f"but opening them failed ({error!r}): make that code importable."
        ) from error
    return objects
