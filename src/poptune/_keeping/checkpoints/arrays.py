"""Arrays in one file, in the safetensors format, written from memory and mapped back into it."""

from __future__ import annotations

import importlib
import math
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from poptune._keeping.checkpoints.safetensors_format import Header
from poptune.errors import CheckpointError

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
    from types import ModuleType

    from numpy.typing import NDArray

    from poptune._keeping.checkpoints.manifest import RecordedFile

_FORMAT_DTYPES: Mapping[str, tuple[str, int]] = {
    "bool": ("BOOL", 1),
    "uint8": ("U8", 1),
    "int8": ("I8", 1),
    "float8_e4m3fn": ("F8_E4M3", 1),
    "float8_e5m2": ("F8_E5M2", 1),
    "uint16": ("U16", 2),
    "int16": ("I16", 2),
    "float16": ("F16", 2),
    "bfloat16": ("BF16", 2),
    "uint32": ("U32", 4),
    "int32": ("I32", 4),
    "float32": ("F32", 4),
    "uint64": ("U64", 8),
    "int64": ("I64", 8),
    "float64": ("F64", 8),
}
"""Our dtype, which numpy and torch call alike, to the format's dtype and its size in bytes."""

_COMPONENTS: Mapping[str, str] = {"complex64": "float32", "complex128": "float64"}
"""Dtypes that the format lacks, and what they are pairs of. Others that it lacks become bytes."""

_ITEM_BYTES = dict(_FORMAT_DTYPES.values())
_ML_DTYPES = ("bfloat16", "float8_e4m3fn", "float8_e5m2")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayLeaf:
    """An array or tensor that is about to be written."""

    library: Literal["numpy", "torch"]
    dtype: str
    item_bytes: int
    shape: Sequence[int]
    """As it lies in memory, the slowest axis first."""
    order: Sequence[int]
    """Where each of its axes lies in `shape`: what its transposition must be told after reading."""
    memory: Hashable
    """Equal for leaves that are views of the same memory, as tied weights are."""
    read_bytes: Callable[[], NDArray[np.uint8]]
    """Its bytes on the host; without a copy where they lie there densely."""
    traits: Mapping[str, bool] = field(default_factory=dict)
    """What else its library must be told."""

    def detached(self) -> ArrayLeaf:
        """Return the same with a copy of its bytes."""
        copied = self.read_bytes().copy()
        return replace(self, read_bytes=lambda: copied)


def is_array(value: object) -> bool:
    """Whether `value` is an array whose memory means the same in any process."""
    return (
        type(value) in {np.ndarray, np.memmap}
        and isinstance(value, np.ndarray)
        and value.dtype == value.dtype.newbyteorder("<")
        and (value.dtype.kind in "biufcmM" or value.dtype.name in _ML_DTYPES)
    )


def as_numpy(value: Any) -> Any:
    """A JAX array as a numpy array; anything else as it is."""
    jax = sys.modules.get("jax")
    if jax is None or not isinstance(value, jax.Array):
        return value
    try:
        return np.asarray(value)
    except (TypeError, RuntimeError):  # keys of its random generator; arrays that span hosts
        return value


def array_leaf(array: NDArray[Any]) -> ArrayLeaf:
    """Describe a numpy array."""
    axes = memory_order(array.shape, array.strides)
    if array.flags.c_contiguous or not array.transpose(axes).flags.c_contiguous:
        axes = tuple(range(array.ndim))
    dense = array.transpose(axes)
    address = array.__array_interface__["data"][0]
    return ArrayLeaf(
        library="numpy",
        dtype=array.dtype.name,
        item_bytes=array.dtype.itemsize,
        shape=dense.shape,
        order=inverse(axes),
        memory=("numpy", address, array.dtype.name, array.shape, array.strides),
        read_bytes=lambda: np.ascontiguousarray(dense).reshape(-1).view(np.uint8),
    )


def memory_order(shape: Sequence[int], strides: Sequence[int]) -> tuple[int, ...]:
    """The axes from the slowest to the fastest.

    Where strides are equal, all axes but one have length 1; those come last.
    """
    return tuple(sorted(range(len(shape)), key=lambda axis: (-strides[axis], -shape[axis])))


def inverse(axes: Sequence[int]) -> tuple[int, ...]:
    """The permutation that undoes a permutation."""
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


def array_from(raw: NDArray[np.uint8], dtype: str, shape: Sequence[int]) -> NDArray[Any]:
    """A numpy array in the memory of `raw`.

    Raises:
        CheckpointError: The dtype is one that numpy lacks.
        ValueError: The dtype or shape are malformed.
    """
    numpy_dtype = _numpy_dtype(dtype)
    if numpy_dtype.kind not in "biufcmM" and dtype not in _ML_DTYPES:
        raise ValueError(f"an array's dtype must be a number's, not {dtype}")
    return raw.view(numpy_dtype).reshape(shape)


def _numpy_dtype(name: str) -> np.dtype[Any]:
    try:
        return np.dtype(name)
    except TypeError as error:
        if name in _ML_DTYPES and (ml_dtypes := _import("ml_dtypes")):
            dtype: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
            return dtype
        raise CheckpointError(
            f"An array of dtype {name} needs torch or ml_dtypes to be read, as numpy has no such "
            "dtype, but neither is installed: install torch."
        ) from error


def _import(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def write_arrays(file: RecordedFile, leaves: Mapping[str, ArrayLeaf], metadata: Mapping[str, str]) -> None:
    """Write a header and the arrays, whose bytes are taken now, one array after another."""
    ordered = sorted(leaves.items(), key=lambda item: -item[1].item_bytes)  # so each is aligned
    entries: dict[str, Any] = {}
    end = 0
    for name, leaf in ordered:
        begin, end = end, end + math.prod(leaf.shape) * leaf.item_bytes
        dtype, shape = _format_view(leaf)
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    file.write(Header(entries, metadata).encode())
    for _, leaf in ordered:
        file.write(leaf.read_bytes().data)


def _format_view(leaf: ArrayLeaf) -> tuple[str, list[int]]:
    """The dtype and shape of an array as the format has it."""
    if leaf.dtype in _FORMAT_DTYPES:
        return _FORMAT_DTYPES[leaf.dtype][0], list(leaf.shape)
    dtype, item_bytes = _FORMAT_DTYPES[_COMPONENTS.get(leaf.dtype, "uint8")]
    return dtype, [*leaf.shape, leaf.item_bytes // item_bytes]


@dataclass(frozen=True, slots=True)
class ArraySpan:
    """Where an array's bytes lie in a mapped file, and their shape in the format's dtype."""

    raw: NDArray[np.uint8]
    shape: Sequence[int]

    def shape_as(self, dtype: str) -> Sequence[int]:
        """The shape in our dtype, slowest axis first."""
        return self.shape if dtype in _FORMAT_DTYPES else self.shape[:-1]


def read_arrays(mapped: mmap.mmap, header: Header) -> dict[str, ArraySpan]:
    """The arrays of a mapped file, without a copy.

    Raises:
        LookupError, TypeError, ValueError: The file is not of the format.
    """
    _check_places(header.arrays.values(), data_bytes=len(mapped) - header.data_start)
    content = np.frombuffer(mapped, dtype=np.uint8, offset=header.data_start)
    return {
        name: ArraySpan(content[slice(*entry["data_offsets"])], entry["shape"])
        for name, entry in header.arrays.items()
    }


def _check_places(entries: Iterable[Any], *, data_bytes: int) -> None:
    """Each array has the size of its shape; together they fill the data without gap or overlap."""
    end = 0
    for entry in sorted(entries, key=lambda entry: entry["data_offsets"]):
        begin, next_end = entry["data_offsets"]
        if any(type(length) is not int or length < 0 for length in entry["shape"]):
            raise ValueError(f"the shape {entry['shape']} is malformed")
        if begin != end or next_end != begin + math.prod(entry["shape"]) * _ITEM_BYTES[entry["dtype"]]:
            raise ValueError(f"the place {begin} to {next_end} is malformed")
        end = next_end
    if end != data_bytes:
        raise ValueError(f"the arrays must end at byte {data_bytes}, not {end}")
