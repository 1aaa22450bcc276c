"""How far drawing reaches: which values of a space are taken apart, and what lies beyond.

Dicts, lists and tuples, named ones too, are taken apart wherever they stand, so that domains in them are
drawn. Any other value becomes part of the config as it is; a domain in it would stay a domain.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any, TypeVar

from poptune.errors import ConfigurationError
from poptune.search_space.domains import Choice, Domain, GridSearch, SampleFrom

Drawn = Domain | SampleFrom | GridSearch
"""An entry that stands for a value rather than being one."""
_PLAIN = frozenset({bool, int, float, str, bytes, type(None)})
_Row = TypeVar("_Row", bound=list[Any] | tuple[Any, ...])


def is_row(value: object) -> bool:
    """Whether this is a list or tuple whose members are drawn one by one."""
    return type(value) in {list, tuple} or _is_named_tuple(value)


def _is_named_tuple(value: object) -> bool:
    return isinstance(value, tuple) and hasattr(value, "_fields") and hasattr(value, "_make")


def like(row: _Row, members: Iterable[Any]) -> _Row:
    """Return a list or tuple of the same kind with other members."""
    make: Any = getattr(row, "_make", type(row))
    made: _Row = make(members)
    return made


def named(row: Any) -> Iterator[tuple[str, Any]]:
    """Yield the members of a list or tuple, each with its place, or its name if it has one."""
    names = row._fields if _is_named_tuple(row) else map(str, range(len(row)))
    return zip(names, row, strict=True)


def check_reach(space: Mapping[str, Any], what: str) -> None:
    """Check that a space comes to an end, and that every domain is where it is drawn.

    Raises:
        ConfigurationError: A dict or list holds itself, or a domain is hidden in some other value.
    """
    _check(space, "", what, ())


def _check(value: Any, path: str, what: str, around: tuple[tuple[str, Any], ...]) -> None:
    for outer_path, outer in around:
        if outer is value:
            raise ConfigurationError(
                f"The values of {what} must come to an end, but the {type(value).__name__} at "
                f"`{outer_path or what}` holds itself at `{path}`: leave it out there"
            )
    around = (*around, (path, value))
    if isinstance(value, Mapping):
        inner: Iterable[tuple[str, Any]] = ((str(key), each) for key, each in value.items())
    elif is_row(value):
        inner = named(value)
    elif isinstance(value, Drawn):
        for option in _options(value):
            _check(option, path, what, around)
        return
    else:
        _check_hides_nothing(value, path, what)
        return
    for name, each in inner:
        if type(each) not in _PLAIN:
            _check(each, f"{path}.{name}" if path else name, what, around)


def _options(drawn: Drawn) -> Iterable[Any]:
    match drawn:
        case Choice(categories=options) | GridSearch(values=options):
            return options
    return ()


def _check_hides_nothing(value: Any, path: str, what: str) -> None:
    seen: dict[int, Any] = {}
    rest = [(path, value)]
    while rest:
        at, inner = rest.pop()
        if isinstance(inner, Drawn):
            raise ConfigurationError(
                f"A domain of {what} must stand in a dict, a list or a tuple, where it is drawn, but "
                f"{inner!r} at `{at}` is in a {type(value).__name__}, which would stay as it is: write a "
                f"dict or a list at `{path}`, and make the {type(value).__name__} of it in the training code"
            )
        if id(inner) not in seen:
            seen[id(inner)] = inner
            rest.extend((f"{at}.{name}", each) for name, each in _members(inner) if type(each) not in _PLAIN)


def _members(value: Any) -> Iterable[tuple[str, Any]]:
    """The members of what users put values together in; an object of any other class is nobody's business."""
    if isinstance(value, dict):
        return [(str(key), each) for key, each in value.items()]
    if isinstance(value, list | tuple | deque | set | frozenset):
        return [(str(place), each) for place, each in enumerate(value)]
    kind = type(value)
    if kind.__module__.startswith("poptune."):  # such as a scheduler, for an experiment within a trial
        return ()
    if dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind)]
        return [(name, getattr(value, name, None)) for name in names]
    return list(vars(value).items()) if _is_namespace(kind) else ()


def _is_namespace(kind: type) -> bool:
    return issubclass(kind, SimpleNamespace) or any(
        (base.__module__, base.__qualname__) == ("argparse", "Namespace") for base in kind.__mro__
    )
