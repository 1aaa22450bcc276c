"""``ray.tune.search.variant_generator``: a grid that is written out, as ``{"grid_search": [...]}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from poptune import grid_search
from poptune.errors import ConfigurationError
from poptune.search_space.reach import check_reach

__all__ = ["grid_search", "native_space", "refuse_grids"]


def native_space(space: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return a search space with the grids in it that are written out, at any depth, as grids.

    Raises:
        ConfigurationError: A grid is no list of values, a text is to be evaluated, a domain stands where it
            is not drawn, or a value holds itself.
    """
    if not isinstance(space, Mapping):
        return space
    check_reach(space, "param_space")
    return {key: _native(value, str(key)) for key, value in space.items()}


def refuse_grids(mutations: Mapping[str, Any], path: str = "") -> None:
    """Raise ``ConfigurationError`` for a grid that is written out among the mutations of a scheduler."""
    for key, mutation in mutations.items():
        where = f"{path}{key}"
        if _is_written_out(mutation, "grid_search"):
            raise ConfigurationError(
                f"The mutation of {where!r} must be a list, a domain or a function, got {mutation!r}: a grid "
                f"belongs into the param_space; write the list {mutation['grid_search']!r} here"
            )
        if isinstance(mutation, Mapping):
            refuse_grids(mutation, f"{where}.")


def _native(value: Any, path: str) -> Any:
    if _is_written_out(value, "grid_search"):
        return grid_search(value["grid_search"])
    if _is_written_out(value, "eval") and isinstance(value["eval"], str):
        raise ConfigurationError(
            f"A text is not evaluated here, got {value!r} at {path!r}: write "
            f"tune.sample_from(lambda spec: {value['eval']})"
        )
    if isinstance(value, Mapping):
        return {key: _native(inner, f"{path}.{key}") for key, inner in value.items()}
    if type(value) in {list, tuple}:
        return type(value)(_native(inner, f"{path}.{place}") for place, inner in enumerate(value))
    return value


def _is_written_out(value: Any, name: str) -> bool:
    return isinstance(value, Mapping) and set(value) == {name}
