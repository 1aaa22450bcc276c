"""Plain Python values as strict JSON, and back with every type as it was.

What JSON can say itself is written as it is. The rest is an object whose first key begins with
``$``, for example ``{"$tuple": [1, 2]}``. Values that are not plain are the caller's business.
"""

from __future__ import annotations

import base64
import math
import sys
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from poptune.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np

Json = Any
"""What ``json`` reads and writes: None, bool, int, float, str, and lists and dicts of them."""

_LEVELS_PER_PART = 32
"""How deep a part may be: few enough for any JSON parser, and for our own recursion."""

_SHORT_BYTES = 4096
"""A longer `bytes` is the caller's: as JSON it would grow by a third."""

_MAPPINGS: Mapping[type, str] = {
    dict: "$dict",
    OrderedDict: "$ordered_dict",
    Counter: "$counter",
}
_SEQUENCES: Mapping[type, str] = {tuple: "$tuple", set: "$set", frozenset: "$frozenset"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands in the dict: one key, and the place of the container that holds it."""

    key: str = ""
    container: Any = None
    parent: Place | None = None
    depth: int = 0

    def below(self, container: Any, key: object) -> Place:
        """The place of one entry of `container`, which stands at this place."""
        name = key if isinstance(key, str) else repr(key)
        return Place(name, container, self, self.depth + 1)

    def upwards(self) -> Iterator[Place]:
        """This place and those above it, innermost first, without the root."""
        place = self
        while place.parent is not None:
            yield place
            place = place.parent

    def __str__(self) -> str:
        """The key path, for example ``model.conv1.weight``."""
        return ".".join(reversed([place.key for place in self.upwards()])) or "the dict itself"


class SkeletonWriter:
    """Turns nested values into JSON.

    Args:
        write_leaf: Told of each value that is not plain, and where it stands; answers with what
            stands for it, an object whose first key begins with ``$``.
    """

    def __init__(self, write_leaf: Callable[[Any, Place], Json]) -> None:
        self._write_leaf = write_leaf
        self._parts: list[tuple[Any, Place]] = []

    def write(self, root: Any) -> list[Json]:
        """The JSON of `root` in parts: the root's, then those of values that lie deep in it."""
        self._parts = [(root, Place())]
        # The list grows while it is read: a value that is too deep for its part is appended.
        return [self._write_value(value, place) for value, place in self._parts]

    def _write(self, value: Any, place: Place) -> Json:
        if place.depth % _LEVELS_PER_PART or _is_scalar(value):
            return self._write_value(value, place)
        self._parts.append((value, place))
        return {"$part": len(self._parts) - 1}

    def _write_value(self, value: Any, place: Place) -> Json:
        kind = type(value)
        if _is_scalar(value):
            return _SCALAR_WRITERS[kind](value)
        if kind in _MAPPINGS:
            return self._write_mapping(value, place)
        if kind is list:
            return self._write_items(value, place)
        if kind in _SEQUENCES:
            return {_SEQUENCES[kind]: self._write_items(value, place)}
        return self._write_other(value, place)

    def _write_other(self, value: Any, place: Place) -> Json:
        kind = type(value)
        if isinstance(value, tuple) and hasattr(kind, "_fields"):
            leaf = self._write_leaf(kind, place)
            return {"$named_tuple": [leaf, self._write_items(value, place, keys=kind._fields)]}
        numpy = sys.modules.get("numpy")  # where it is not imported there are no numbers of its
        if numpy is not None and isinstance(value, numpy.generic) and value.dtype.kind in "biufc":
            item = value.item()
            if type(item) in _SCALAR_WRITERS:  # a longdouble's item is a longdouble
                return {"$numpy": [value.dtype.name, _SCALAR_WRITERS[type(item)](item)]}
        return self._write_leaf(value, place)

    def _write_items(self, values: Any, place: Place, keys: Sequence[str] | None = None) -> list[Json]:
        _refuse_cycle(values, place)
        return [
            self._write(value, place.below(values, keys[index] if keys else index))
            for index, value in enumerate(values)
        ]

    def _write_mapping(self, mapping: Any, place: Place) -> Json:
        _refuse_cycle(mapping, place)
        kind = type(mapping)
        if kind is dict and all(type(key) is str and not key.startswith("$") for key in mapping):
            return {key: self._write(value, place.below(mapping, key)) for key, value in mapping.items()}
        pairs = []
        for key, value in mapping.items():
            below = place.below(mapping, key)
            pairs.append([self._write(key, below), self._write(value, below)])
        tagged: dict[str, Json] = {_MAPPINGS[kind]: pairs}
        if attributes := getattr(mapping, "__dict__", None):  # torch's state_dict() has _metadata
            tagged["attributes"] = self._write_mapping(attributes, place)
        return tagged


def _refuse_cycle(container: Any, place: Place) -> None:
    if any(above.container is container for above in place.upwards()):
        raise CheckpointError(
            f"A checkpoint's dict must not contain itself, but {place} is one of the containers "
            "that it stands in: save a copy without the cycle."
        )


def _is_scalar(value: Any) -> bool:
    kind = type(value)
    return kind in _SCALAR_WRITERS and not (kind is bytes and len(value) > _SHORT_BYTES)


def _write_int(value: int) -> Json:
    return value if -(2**63) <= value < 2**64 else {"$int": hex(value)}


def _write_float(value: float) -> Json:
    return value if math.isfinite(value) else {"$float": repr(value)}


def _write_complex(value: complex) -> Json:
    return {"$complex": [_write_float(value.real), _write_float(value.imag)]}


def _as_it_is(value: Json) -> Json:
    return value


_SCALAR_WRITERS: Mapping[type, Callable[[Any], Json]] = {
    type(None): _as_it_is,
    bool: _as_it_is,
    str: _as_it_is,
    int: _write_int,
    float: _write_float,
    complex: _write_complex,
    bytes: lambda value: {"$bytes": base64.b64encode(value).decode()},
    bytearray: lambda value: {"$bytearray": base64.b64encode(value).decode()},
}


class SkeletonReader:
    """Turns the JSON of a `SkeletonWriter` into the values that it was written from.

    Args:
        leaf_readers: For each tag of the writer's `write_leaf`, what makes a value of its content.
    """

    def __init__(self, leaf_readers: Mapping[str, Callable[[Json], Any]]) -> None:
        self._parts: dict[int, Any] = {}
        self._readers: dict[str, Callable[[Json], Any]] = {
            "$int": lambda text: int(text, 16),
            "$float": float,
            "$complex": lambda pair: complex(*map(self._read, pair)),
            "$bytes": base64.b64decode,
            "$bytearray": lambda text: bytearray(base64.b64decode(text)),
            "$numpy": lambda pair: _numpy_scalar(pair[0], self._read(pair[1])),
            "$named_tuple": lambda pair: self._read(pair[0])._make(self._read(pair[1])),
            "$part": lambda index: self._parts[index],
            **{tag: self._sequence_reader(kind) for kind, tag in _SEQUENCES.items()},
            **{tag: self._mapping_reader(kind) for kind, tag in _MAPPINGS.items()},
            **leaf_readers,
        }

    def read(self, parts: Sequence[Json]) -> Any:
        """The value whose parts these are.

        Raises:
            LookupError, TypeError, ValueError, AttributeError: The parts are not those of a writer.
        """
        self._parts = {}
        for index in reversed(range(len(parts))):  # a part refers to later ones only
            self._parts[index] = self._read(parts[index])
        return self._parts[0]

    def _read(self, node: Json) -> Any:
        if isinstance(node, list):
            return [self._read(item) for item in node]
        if not isinstance(node, dict):
            return node
        tag = next(iter(node), "")
        if not tag.startswith("$"):
            return {key: self._read(value) for key, value in node.items()}
        value = self._readers[tag](node[tag])
        if "attributes" in node:
            vars(value).update(self._read(node["attributes"]))
        return value

    def _sequence_reader(self, kind: type) -> Callable[[Json], Any]:
        return lambda items: kind(self._read(items))

    def _mapping_reader(self, kind: type) -> Callable[[Json], Any]:
        return lambda pairs: kind({self._read(key): self._read(value) for key, value in pairs})


def _numpy_scalar(name: str, value: Any) -> np.generic:
    import numpy as np

    dtype = np.dtype(name)
    if dtype.kind not in "biufc":
        raise ValueError(f"a numpy scalar must be a number, not {name}")
    scalar: np.generic = dtype.type(value)
    return scalar
