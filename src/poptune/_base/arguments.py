"""Checks of arguments that several public classes share."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Iterable
from typing import Any, TypeVar

from poptune.errors import ConfigurationError

T = TypeVar("T")


def nearest(name: str, names: Iterable[str]) -> str:
    """Return ``"; did you mean 'metric'?"`` for the most similar name, or nothing if none is similar."""
    found = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""


def reject_unknown_keywords(cls: type[T]) -> type[T]:
    """Make a class name the nearest right keyword when it is given one that it does not know."""
    checked_cls: Any = cls
    init: Any = cls.__init__
    parameters = inspect.signature(init).parameters
    known = [name for name in parameters if name != "self"]

    @functools.wraps(init)
    def checked(self: T, *args: Any, **keywords: Any) -> None:
        for name in keywords:
            if name not in parameters:
                raise TypeError(
                    f"{cls.__name__} has no argument {name!r}{nearest(name, known) or ';'} "
                    f"it takes: {', '.join(known)}"
                )
        init(self, *args, **keywords)

    checked_cls.__init__ = checked
    return cls


def check_mode(mode: object) -> None:
    """Raise ``ConfigurationError`` unless the mode is ``"min"``, ``"max"`` or not given."""
    if mode not in {"min", "max", None}:
        raise ConfigurationError(f'mode must be "min" or "max", got {mode!r}')
