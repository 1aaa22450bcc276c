"""The values of a config, as they come back from a journal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def without_numpy_scalars(value: Any) -> Any:
    """Return a config, or a value in one, with numpy's scalars as Python's own numbers and texts.

    Whatever is a mapping becomes a dict, as in a config that was drawn from a space.
    The journal holds them so; a run that is continued from it must go on with the very same values.
    """
    kind = type(value)
    if isinstance(value, Mapping):
        return {key: without_numpy_scalars(inner) for key, inner in value.items()}
    if kind in {list, tuple}:
        return kind(map(without_numpy_scalars, value))
    is_scalar = kind.__module__ == "numpy" and getattr(value, "shape", None) == ()
    return value.item() if is_scalar else value
