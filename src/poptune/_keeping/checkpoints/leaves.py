"""Arrays, tensors and large bytes as leaves of a skeleton. Needs numpy, so it is imported late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from poptune._keeping.checkpoints.arrays import (
    ArrayLeaf,
    ArraySpan,
    array_from,
    array_leaf,
    as_numpy,
    is_array,
)
from poptune._keeping.checkpoints.tensors import is_tensor, tensor_from, tensor_leaf

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from poptune._keeping.checkpoints.skeleton import Json


def leaf_of(value: Any) -> tuple[str, ArrayLeaf] | None:
    """Return the tag of a value and what is written of it, or None if it is no array."""
    value = as_numpy(value)
    if is_array(value):
        return "$array", array_leaf(value)
    if is_tensor(value):
        return "$array", tensor_leaf(value)
    if type(value) is bytes:
        return "$large_bytes", array_leaf(np.frombuffer(value, dtype=np.uint8))
    return None


def readers(spans: Mapping[str, ArraySpan]) -> dict[str, Callable[[Json], Any]]:
    """Return how each tag is read, given the arrays of the file."""
    return {
        "$array": lambda told: _read_array(told, spans[told["name"]]),
        "$large_bytes": lambda told: spans[told["name"]].raw.tobytes(),
    }


def _read_array(told: Json, span: ArraySpan) -> Any:
    dtype = told["dtype"]
    shape = span.shape_as(dtype)
    order = told.get("order", range(len(shape)))
    if told["library"] == "torch":
        return tensor_from(span.raw, dtype, shape=shape, order=order, traits=told)
    return array_from(span.raw, dtype, shape).transpose(order)
