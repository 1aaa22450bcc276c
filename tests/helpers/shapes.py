"""What records and settings look like, kind by kind: ``python tests/helpers/shapes.py`` writes it anew."""

from __future__ import annotations

import inspect
import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from msgspec import Struct

from poptune._base.described import KINDS
from poptune._core.events import Event
from poptune._keeping.journal.records import KIND_OF, newest

FILE = Path(__file__).parents[1] / "golden" / "shapes.json"
Shape = dict[str, Any]


def shapes() -> dict[str, Shape]:
    """Return the version and the fields of each kind, as they are now."""
    return {
        **{f"record {KIND_OF[event]}": _record(event) for event in get_args(Event)},
        **{f"settings {name}": _settings(name) for name in KINDS},
    }


def changed_without_a_version(now: dict[str, Shape], written: dict[str, Shape]) -> list[str]:
    """Return the kinds whose form is not what was written down for their version, and those that are gone."""
    return [
        kind
        for kind, shape in written.items()
        if kind not in now or (now[kind] != shape and now[kind]["version"] <= shape["version"])
    ]


def _record(event: type[Struct]) -> Shape:
    return {"version": newest(KIND_OF[event]), **_structs(event)}


def _structs(struct: type[Struct]) -> dict[str, dict[str, str]]:
    """The fields of a struct and, each by its name, of all that are in them."""
    hints = get_type_hints(struct)
    found = {struct.__name__: {name: _shown(hint) for name, hint in hints.items()}}
    for hint in hints.values():
        for inner in _classes(hint):
            if issubclass(inner, Struct):
                found |= _structs(inner)
    return found


def _classes(hint: Any) -> Iterator[type]:
    if isinstance(hint, type) and not get_args(hint):
        yield hint
    for argument in get_args(hint):
        yield from _classes(argument)


def _shown(hint: Any) -> str:
    """A type, told alike by all versions of Python."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        return " | ".join(sorted(map(_shown, arguments)))
    if origin is Literal:
        return f"one of {list(arguments)}"
    if origin is not None:
        return f"{origin.__name__}[{', '.join(map(_shown, arguments))}]"
    return "..." if hint is ... else getattr(hint, "__name__", str(hint))


def _settings(name: str) -> Shape:
    kind = KINDS[name]
    arguments = inspect.signature(kind.load()).parameters
    return {"version": kind.version, "arguments": list(arguments), "whole": sorted(kind.whole)}


if __name__ == "__main__":
    now = shapes()
    if FILE.exists() and (changed := changed_without_a_version(now, json.loads(FILE.read_text()))):
        sys.exit(f"These have changed, but not their versions: {', '.join(changed)}")
    FILE.write_text(json.dumps(now, indent=2) + "\n")
