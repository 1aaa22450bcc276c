"""``ray.tune.utils``: the small functions of it that scripts use."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from poptune.compat.ray.tune.trainable import Trainable
from poptune.errors import TrainableError

__all__ = [
    "date_str",
    "deep_update",
    "flatten_dict",
    "merge_dicts",
    "unflatten_dict",
    "validate_save_restore",
]

_STEPS = 3


def date_str() -> str:
    """Return the time now, as names of experiments have it."""
    return datetime.now().astimezone().strftime("%Y-%m-%d_%H-%M-%S")


def flatten_dict(
    dt: Mapping[str, Any], delimiter: str = "/", prevent_delimiter: bool = False
) -> dict[str, Any]:
    """Return the values that are no dicts, each by its path.

    Example:
        >>> flatten_dict({"a": {"b": 1}, "c": 2})
        {'a/b': 1, 'c': 2}

    Raises:
        ValueError: A key has the delimiter in it, and that was to be prevented.
    """
    flat: dict[str, Any] = {}
    for key, value in dt.items():
        if prevent_delimiter and delimiter in key:
            raise ValueError(f"A key must not hold {delimiter!r}, got {key!r}")
        if isinstance(value, Mapping) and value:
            inner = flatten_dict(value, delimiter, prevent_delimiter)
            flat |= {f"{key}{delimiter}{rest}": item for rest, item in inner.items()}
        else:
            flat[key] = value
    return flat


def unflatten_dict(dt: Mapping[str, Any], delimiter: str = "/") -> dict[str, Any]:
    """Return what :func:`flatten_dict` has flattened.

    Example:
        >>> unflatten_dict({"a/b": 1, "c": 2})
        {'a': {'b': 1}, 'c': 2}
    """
    nested: dict[str, Any] = {}
    for path, value in dt.items():
        *outer, last = path.split(delimiter)
        place = nested
        for key in outer:
            place = place.setdefault(key, {})
        place[last] = value
    return nested


def merge_dicts(d1: Mapping[str, Any], d2: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of one dict with what another one has in its place, at every depth."""
    return deep_update(copy.deepcopy(dict(d1)), d2, new_keys_allowed=True)


def deep_update(
    original: dict[str, Any], new_dict: Mapping[str, Any], new_keys_allowed: bool = False
) -> dict[str, Any]:
    """Change a dict in place to what another one has, at every depth, and return it.

    Raises:
        KeyError: The other has a key that the dict lacks, unless these are allowed.
    """
    for key, value in new_dict.items():
        if key not in original and not new_keys_allowed:
            raise KeyError(f"Unknown config parameter `{key}`")
        if isinstance(original.get(key), dict) and isinstance(value, Mapping):
            deep_update(original[key], value, new_keys_allowed=True)
        else:
            original[key] = value
    return original


def validate_save_restore(
    trainable_cls: type[Trainable], config: dict[str, Any] | None = None, num_gpus: int = 0
) -> bool:
    """Train an object of the class a little, and return True if another one goes on from its state.

    Raises:
        TrainableError: It does not.
    """
    del num_gpus
    first, second = trainable_cls(config), trainable_cls(config)
    try:
        for _ in range(_STEPS):
            first.train()
        second.restore(first.save())
        iteration = second.train()["training_iteration"]
    finally:
        first.stop()
        second.stop()
    if iteration != _STEPS + 1:
        raise TrainableError(f"After its state was restored it must go on, got iteration {iteration}")
    return True
