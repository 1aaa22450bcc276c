"""What pickles of experiments name. It never moves, and takes what it took before."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from poptune._base.described import made_of


def named(door: str, name: str) -> Any:
    """Return a function or class of poptune by where its users find it."""
    return getattr(import_module(door), name)


def described(kind: str, version: int, arguments: dict[str, Any]) -> Any:
    """Return an object of ours, by what it was made with."""
    return made_of(kind, version, arguments)
