"""Nested metrics and configs by paths such as ``optimizer/lr``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values that are no dicts, each by its path."""
    return dict(_leaves(nested, prefix))


def number_at(nested: Mapping[str, Any], path: str) -> float | None:
    """Return the number at a path, or None where there is none."""
    value = nested[path] if path in nested else flatten(nested).get(path)
    return float(value) if isinstance(value, int | float) else None


def _leaves(nested: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in nested.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", value
