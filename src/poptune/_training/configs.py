"""Configs as plain dicts: where two differ, and how one becomes another in place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from poptune._base.equality import same
from poptune._base.types import Config


def own_copy(config: Mapping[str, Any]) -> Config:
    """Return the config as dicts of its own, which may change; their values are shared."""
    return {key: own_copy(value) if isinstance(value, Mapping) else value for key, value in config.items()}


def become(config: Config, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Have a config, and the dicts nested in it, take over the values of `new` in place.

    The keys that only `old` has go; those that the user has added stay.
    """
    for key in old.keys() - new.keys():
        config.pop(key, None)
    for key, value in new.items():
        mine, before = config.get(key), old.get(key)
        if isinstance(mine, dict) and isinstance(value, Mapping) and isinstance(before, Mapping):
            become(mine, before, value)
        else:
            config[key] = own_copy(value) if isinstance(value, Mapping) else value


def changed_paths(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield the dotted paths of the values in `new` that `old` lacks, or has otherwise."""
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping):
            yield from changed_paths(before if isinstance(before, Mapping) else {}, value, f"{path}{key}.")
        elif key not in old or not same(before, value):
            yield f"{path}{key}"


def plain_part(config: Mapping[str, Any]) -> Config:
    """Return the values that are numbers, strings and the like, or lists and dicts of them."""
    parts = {
        key: plain_part(value) if isinstance(value, Mapping) else value
        for key, value in config.items()
        if isinstance(value, Mapping) or _is_plain(value)
    }
    return {key: value for key, value in parts.items() if value != {}}


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or type(value) in {bool, int, float, str}


def value_at(config: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path; a key may have dots itself.

    Raises:
        KeyError: There is none.
    """
    if path in config:
        return config[path]
    key, dot, rest = path.partition(".")
    while dot:
        inner = config.get(key)
        if isinstance(inner, Mapping):
            with suppress(KeyError):
                return value_at(inner, rest)
        more, dot, rest = rest.partition(".")
        key = f"{key}.{more}"
    raise KeyError(path)
