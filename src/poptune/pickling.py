"""Pickling by value what no other program can import, so that tracebacks still show its lines."""

from __future__ import annotations

import io
import types
from collections import ChainMap
from typing import Any, ClassVar

import cloudpickle

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


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    dispatch_table: ClassVar = ChainMap({types.CodeType: _reduce_code}, cloudpickle.Pickler.dispatch_table)
