"""Pickling by value what no other program can import, so that tracebacks still show its lines.

A function of an importable module is pickled by its name, so a mended module is a mended function. The
script's own functions and classes are pickled by value, since no other program can import them; but where the
very same script opens the pickle, what it calls by the same name today is what its user means.
"""

from __future__ import annotations

import functools
import io
import pickle
import sys
import types
from collections import ChainMap
from collections.abc import Callable
from typing import IO, Any, ClassVar

import cloudpickle
from cloudpickle import cloudpickle as by_value

from poptune import _pickled
from poptune._base.described import KINDS, arguments_of, kind_of
from poptune._base.notices import warn
from poptune._base.script import Script

_DOORS = (
    "poptune",
    "poptune.callbacks",
    "poptune.integrations",
    "poptune.loggers",
    "poptune.plots",
    "poptune.schedulers",
    "poptune.stoppers",
)
_Make = Callable[..., Any]
_NO_FILE = "<dynamic-code>"
"""What cloudpickle has in the place of a file's name since its version 3.1.3."""


def dumps(value: Any) -> bytes:
    """Return a value pickled, with the code that the user's main module defines by value."""
    file = io.BytesIO()
    _Pickler(file).dump(value)
    return file.getvalue()


def _reduce_code(code: types.CodeType) -> tuple[Any, ...]:
    """As cloudpickle does, but with the file that the code is from."""
    kind, arguments = cloudpickle.Pickler.dispatch_table[types.CodeType](code)
    return kind, tuple(code.co_filename if part == _NO_FILE else part for part in arguments)


class _Pickler(cloudpickle.Pickler):
    """Writes what is ours so that a later poptune can open it.

    Settings are written by what they were made with, functions and classes by where users find them.
    """

    dispatch_table: ClassVar = ChainMap({types.CodeType: _reduce_code}, cloudpickle.Pickler.dispatch_table)

    def reducer_override(self, value: Any) -> Any:
        cls = type(value)
        if (kind := kind_of(cls)) is not None:
            return _pickled.described, (kind, KINDS[kind].version, arguments_of(value))
        if issubclass(cls, type | types.FunctionType) and (door := _door(value)) is not None:
            return _pickled.named, (door, value.__name__)
        return super().reducer_override(value)


def _door(value: Any) -> str | None:
    """Return the public module that a function or class of ours is found in, if it is defined elsewhere."""
    if not str(value.__module__).startswith("poptune."):
        return None
    found = (door for door in _DOORS if getattr(sys.modules.get(door), value.__name__, None) is value)
    return next(found, None)


class Loader:
    """Opens pickles of one experiment, one after another, which runs code in them.

    Args:
        script: Take its functions and classes of today for those that the pickles hold, if it is the script
            that has written them. A lambda, and what a function defines anew at each call where more than one
            is alike, stays the code that it was, with the script's global variables of today.
    """

    def __init__(self, script: Script | None = None) -> None:
        self._script = script

    def load(self, file: IO[bytes]) -> Any:
        """Return the next value of a file, which stands behind it afterwards."""
        begin, problem = file.tell(), ""
        if self._script is not None:
            try:
                return _ScriptUnpickler(file, self._script).load()
            except _OfAnotherScriptError:
                pass
            except (EOFError, pickle.UnpicklingError):
                raise
            except Exception as error:  # noqa: BLE001 - the user's classes of today may raise anything
                problem = f"{type(error).__name__}: {error}"
            self._script = None
            file.seek(begin)
        value = pickle.load(file)  # noqa: S301 - the caller asked to run what is in there
        if problem:
            warn(
                "What the script defines today must be able to take the place of what it defined when the "
                f"experiment was stored, but it cannot ({problem}): the stored code is used. Keep the "
                "members and attributes that stored values have"
            )
        return value


class _OfAnotherScriptError(Exception):
    """The pickle holds functions of another script, so what has the same names here is something else."""


class _ScriptUnpickler(pickle.Unpickler):
    """In the places where cloudpickle makes a function or class anew, takes the script's own.

    A pickle names the functions of cloudpickle that it calls there. Those that take their places are given
    them, for what the script does not have.
    """

    def __init__(self, file: IO[bytes], script: Script) -> None:
        super().__init__(file)
        self._script = script
        self._taken: set[int] = set()
        self._instead: dict[str, _Make] = {
            "_make_function": self._function,
            "_function_setstate": self._fill_function,
            "_make_skeleton_class": self._class,
            "_make_skeleton_enum": self._enum,
            "_class_setstate": self._fill_class,
        }

    def find_class(self, module: str, name: str) -> Any:
        found = super().find_class(module, name)
        if module == by_value.__name__ and name in self._instead:
            return functools.partial(self._instead[name], found)
        return found

    def _function(self, make: _Make, code: types.CodeType, variables: dict[str, Any], *rest: Any) -> Any:
        if variables.get("__name__") != "__main__":
            return make(code, variables, *rest)
        if not self._script.is_home_of(variables):
            raise _OfAnotherScriptError
        found = self._script.function(code)
        if found is not None:
            return self._take(found)
        variables.update(self._script.variables)
        return make(self._script.inner_code(code), variables, *rest)

    def _fill_function(self, fill: _Make, function: Any, state: tuple[Any, dict[str, Any]]) -> None:
        if id(function) in self._taken:
            return
        attributes, slots = state
        is_ours = function.__globals__.get("__name__") == "__main__"
        ours = self._script.variables if is_ours else {}
        theirs = {name: value for name, value in slots["__globals__"].items() if name not in ours}
        fill(function, (attributes, {**slots, "__globals__": theirs}))

    def _class(
        self, make: _Make, kind: type, name: str, bases: Any, parts: dict[str, Any], *rest: Any
    ) -> Any:
        found = self._script.type(name, kind) if parts.get("__module__") == "__main__" else None
        if found is not None:
            return self._take(found)
        return make(kind, name, bases, parts, *rest)

    def _enum(
        self, make: _Make, bases: Any, name: str, qualname: str, members: Any, module: str, *rest: Any
    ) -> Any:
        found = self._script.type(qualname, type(bases[-1])) if module == "__main__" else None
        if found is not None:
            return self._take(found)
        return make(bases, name, qualname, members, module, *rest)

    def _fill_class(self, fill: _Make, filled: Any, state: Any) -> Any:
        return filled if id(filled) in self._taken else fill(filled, state)

    def _take(self, found: Any) -> Any:
        self._taken.add(id(found))
        return found
