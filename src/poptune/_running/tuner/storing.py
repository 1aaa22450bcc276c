"""What a restore needs must be picklable: told before anything starts, with what cannot be pickled."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any

from poptune._base import pickling
from poptune.errors import ConfigurationError

_LEFT_OUT = frozenset({"callbacks", "loggers"})
"""What an experiment is restored without if need be, which is a warning when it is stored."""


def check_storable(*configs: Any) -> None:
    """Check that all that is said in configs of a run can be stored.

    Raises:
        ConfigurationError: A value cannot be pickled.
    """
    for config in configs:
        for field in dataclasses.fields(config):
            if field.name not in _LEFT_OUT:
                _check(f"{type(config).__name__}({field.name}=...)", getattr(config, field.name))


def _check(what: str, value: Any) -> None:
    if (error := _problem(value)) is None:
        return
    culprit = next(_culprits(value), "")
    found = f"holds {culprit}, which is not" if culprit else "is not"
    raise ConfigurationError(
        f"{what} must be picklable, so that the experiment can be restored, but the {type(value).__name__} "
        f"given {found} ({type(error).__name__}: {error}): create that where it is used first, inside the "
        "function instead of beside it, or in __call__() instead of __init__()"
    ) from error


def _problem(value: Any) -> Exception | None:
    try:
        pickling.dumps(value)
    except Exception as error:  # noqa: BLE001 - pickling runs code of any kind
        return error
    return None


def _culprits(value: Any, above: str = "") -> Iterator[str]:
    """What in a value cannot be pickled, as deep as can be told."""
    for name, part in _parts(value):
        if _problem(part) is not None:
            inner = (
                _culprits(part, f"{above}{name}.") if isinstance(part, Mapping | list | tuple) else iter(())
            )
            yield next(inner, f"{f'{above}{name}'!r}, a {type(part).__name__}")


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """The attributes of an object, the values of a dict, what a function captures."""
    if isinstance(value, FunctionType):
        captured = inspect.getclosurevars(value)
        yield from {**captured.globals, **captured.nonlocals}.items()
    elif isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, list | tuple):
        yield from ((str(place), each) for place, each in enumerate(value))
    elif dataclasses.is_dataclass(value):
        yield from ((field.name, getattr(value, field.name, None)) for field in dataclasses.fields(value))
    else:
        yield from getattr(value, "__dict__", {}).items()
