"""Nested metrics and configs by paths such as ``optimizer/lr``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_SCALARS = frozenset({float, int, str, bool, type(None)})


def flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values that are no dicts, each by its path, with the prefix before it.

    Example:
        >>> flatten({"loss": 0.5, "test": {"accuracy": 0.9}})
        {'loss': 0.5, 'test/accuracy': 0.9}
    """
    if not prefix and all(type(value) in _SCALARS for value in nested.values()):  # as most results are
        return dict(nested)
    return dict(_leaves(nested, prefix))


def value_at(nested: Mapping[str, Any], path: str, default: Any = None) -> Any:
    """Return the value at a path, or the default where there is none. A key may have slashes itself.

    Example:
        >>> value_at({"test": {"accuracy": 0.9}}, "test/accuracy")
        0.9
    """
    if path in nested:
        return nested[path]
    if "/" not in path:
        return default
    return flatten(nested).get(path, default)


def number_at(nested: Mapping[str, Any], path: str) -> float | None:
    """Return the number at a path, or None where there is none."""
    value = value_at(nested, path)
    return float(value) if isinstance(value, int | float) else None


def _leaves(nested: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in nested.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", value
