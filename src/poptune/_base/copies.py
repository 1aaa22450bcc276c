"""Copies for user code: what it does to them reaches nobody else."""

from __future__ import annotations

import contextlib
import copy
import sys
from typing import Any, TypeVar

T = TypeVar("T")


def copied(value: T) -> T:
    """Return a deep copy of a config, a result or a value in one.

    Functions, classes and modules are not copied, as in :func:`copy.deepcopy`. What cannot be copied, such as
    an open file, is shared, and all else around it is copied still.

    Example:
        >>> import sys
        >>> config = {"layers": [64, 64], "backend": sys}
        >>> mine = copied(config)
        >>> mine["layers"].append(10)
        >>> config["layers"], mine["backend"] is sys
        ([64, 64], True)
    """
    mine: T = _copied(value, frozenset())
    return mine


def _copied(value: Any, around: frozenset[int]) -> Any:
    """Copy as much as can be; ``around`` are the ids of the containers that this is in."""
    with contextlib.suppress(Exception):  # copying may be the value's own code
        return copy.deepcopy(value)
    with contextlib.suppress(Exception):
        return copy.deepcopy(value, {id(module): module for module in list(sys.modules.values())})
    return value if id(value) in around else _copied_in_parts(value, around | {id(value)})


def _copied_in_parts(value: Any, around: frozenset[int]) -> Any:
    if type(value) is dict:
        return {key: _copied(inner, around) for key, inner in value.items()}
    if type(value) in {list, tuple}:
        return type(value)(_copied(inner, around) for inner in value)
    return value
