"""What the running script defines today, looked up by the code that it had when something was stored."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any


@dataclass(frozen=True, slots=True)
class Script:
    """The program that runs: the module ``__main__``, and the file that it is from."""

    variables: dict[str, Any]
    file: Path

    @classmethod
    def running(cls) -> Script | None:
        """Return the script; ``None`` in a session of an interpreter, which is no file."""
        main = sys.modules["__main__"]
        file = getattr(main, "__file__", None)
        return None if file is None else cls(vars(main), Path(file).resolve())

    def is_home_of(self, variables: dict[str, Any]) -> bool:
        """Whether a function with these global variables was defined in this script."""
        file = variables.get("__file__")
        return file is not None and Path(file).resolve() == self.file

    def function(self, code: CodeType) -> FunctionType | None:
        """Return the function that the script has by the name of one that had this code."""
        found = self._named(code.co_qualname)
        while found is not None:
            found = getattr(found, "__func__", found)
            if isinstance(found, FunctionType) and found.__code__.co_qualname == code.co_qualname:
                return found
            found = getattr(found, "__wrapped__", None)
        return None

    def inner_code(self, code: CodeType) -> CodeType:
        """Return today's code of a function within a function if it can be told, else the one given."""
        outer, _, name = code.co_qualname.rpartition(".<locals>.")
        found = self._named(outer) if outer else None
        alike = [
            each
            for each in (_codes_within(found.__code__) if isinstance(found, FunctionType) else ())
            if each.co_qualname == code.co_qualname and _shape(each) == _shape(code)
        ]
        return alike[0] if name and len(alike) == 1 else code

    def type(self, qualname: str, kind: type) -> type | None:
        """Return the class of this name and metaclass."""
        found = self._named(qualname)
        return found if isinstance(found, type) and type(found) is kind else None

    def _named(self, qualname: str) -> Any:
        found: Any = None
        for place, name in enumerate(qualname.split(".")):
            found = getattr(found, name, None) if place else self.variables.get(name)
        return found


def _codes_within(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes_within(constant)


def _shape(code: CodeType) -> tuple[object, ...]:
    """What the closure and the defaults of a function rest on."""
    arguments = code.co_argcount + code.co_kwonlyargcount
    return code.co_freevars, code.co_varnames[:arguments], code.co_kwonlyargcount, code.co_flags & 0x2C
