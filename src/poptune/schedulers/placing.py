"""Where in the ``param_space`` the mutated keys are, so that what is explored is what the training reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from poptune._base.spelling import meant
from poptune.errors import ConfigurationError
from poptune.search_space import Choice, GridSearch, Ordinal, SampleFrom, entries

Keys = tuple[str, ...]
"""The keys that lead to a mutation, from the outermost."""


def placed(mutations: Mapping[str, Any], space: Mapping[str, Any]) -> dict[str, Any]:
    """Return mutations nested as the space is: ``optimizer.lr`` means the ``lr`` in the dict ``optimizer``.

    A key that the space lacks stays where it is: its first value is drawn from its mutation.

    Raises:
        ConfigurationError: Two mutations are of one hyperparameter, or a key that the space lacks is likely
            to be a slip of the pen for one that it has.

    Example:
        >>> placed({"optimizer.lr": [0.1, 0.01]}, {"optimizer": {"lr": 0.1}})
        {'optimizer': {'lr': [0.1, 0.01]}}
    """
    found: dict[str, Any] = {}
    for keys, mutation in leaves(mutations):
        _put(found, _place(space, keys), mutation)
    _check_spelling(found, space)
    return found


def leaves(mutations: Mapping[str, Any], above: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Yield each mutation that is no dict of others, with the keys that lead to it."""
    for key, mutation in mutations.items():
        if isinstance(mutation, Mapping) and mutation:
            yield from leaves(mutation, (*above, key))
        else:
            yield (*above, key), mutation


def _place(space: Mapping[str, Any], keys: Keys) -> Keys:
    """Return the keys under which the space has, or would have, a hyperparameter."""
    path = ".".join(keys)
    if path in space:
        return (path,)
    parts = path.split(".")
    for end in range(1, len(parts)):
        head = ".".join(parts[:end])
        if (inner := _nested(space.get(head))) is not None:
            return (head, *_place(inner, _without(keys, end)))
        if isinstance(space.get(head), SampleFrom) and len(keys) == 1:
            raise ConfigurationError(
                f"The mutation of {path!r} must name its key without doubt, but a function of sample_from "
                f"makes {head!r}: nest the mutation, {{{head!r}: {{{'.'.join(parts[end:])!r}: ...}}}}"
            )
    return keys


def _without(keys: Keys, parts: int) -> Keys:
    """Return the keys without so many of their dotted path's first parts."""
    first, *rest = keys
    length = first.count(".") + 1
    if length <= parts:
        return _without(tuple(rest), parts - length) if parts > length else tuple(rest)
    return (".".join(first.split(".")[parts:]), *rest)


def _nested(entry: Any) -> Mapping[str, Any] | None:
    """Return what an entry of a space nests: the keys of a dict, or of all the dicts that it may become."""
    if isinstance(entry, Mapping):
        return entry
    options = entry.categories if isinstance(entry, Choice) else ()
    options = entry.values if isinstance(entry, GridSearch | Ordinal) else options
    inner = [nested for option in options if (nested := _nested(option)) is not None]
    return {key: value for nested in inner for key, value in nested.items()} if inner else None


def _put(found: dict[str, Any], keys: Keys, mutation: Any) -> None:
    level = found
    for key in keys[:-1]:
        level = level.setdefault(key, {})
        if not isinstance(level, dict):
            break
    if not isinstance(level, dict) or keys[-1] in level:
        raise ConfigurationError(
            f"Each hyperparameter must have one mutation, got more than one of {'.'.join(keys)!r}, or one of "
            "it and one of all that it lies in: keep one of them"
        )
    level[keys[-1]] = mutation


def _check_spelling(found: Mapping[str, Any], space: Mapping[str, Any], above: str = "") -> None:
    for key, mutation in found.items():
        if key not in space:
            _check_spelling_of(key, found, space, above)
        elif isinstance(mutation, Mapping) and (inner := _nested(space[key])) is not None:
            _check_spelling(mutation, inner, f"{above}{key}.")


def _check_spelling_of(key: str, found: Mapping[str, Any], space: Mapping[str, Any], above: str) -> None:
    mutated = {".".join(keys) for keys, _ in leaves(found)} | set(found)
    paths = [path for path in entries(space) if path not in mutated]
    deeper = (path for path in paths if path.endswith(f".{key}"))
    names = [name for name in space if name not in mutated] + (paths if "." in key else [])
    if (right := meant(key, names) or next(deeper, None)) is None:
        return
    raise ConfigurationError(
        f"A mutated key must be one that the training reads, but the param_space has no {above + key!r}; did "
        f"you mean {above + right!r}? If it is a hyperparameter of its own, give it a value or a domain in "
        "the param_space, too"
    )
