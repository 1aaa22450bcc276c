"""Values that a replayed schedule only names, taken from the ``param_space``; and none that got lost.

A policy file, and whatever is read without the code of an experiment, has texts in the place of functions,
classes and other objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from poptune._base.types import Config
from poptune._core.schedule import Schedule
from poptune._core.unopened import UnopenedObject, is_of_an_object, options_of, without_addresses
from poptune.errors import ConfigurationError
from poptune.search_space import Domain, SampleFrom

_NOTHING = object()
_SHOWN = 150
"""How much of two texts is compared: the journal has them shortened."""


def opened(schedule: Schedule, space: Mapping[str, Any], *, written: bool) -> tuple[Schedule, list[str]]:
    """Return a schedule with the values themselves, and the dotted paths of those that the space gave.

    Args:
        schedule: What is to be replayed.
        space: What the user gives: a constant for a value that does not change, else all that it becomes.
        written: Whether the schedule was read from a file, which may have the mere text of an object.

    Raises:
        ConfigurationError: The space lacks a value.
    """
    opening = _Opening(written=written)
    changes = [(at, opening.config(config, space)) for at, config in schedule.changes]
    if opening.missing:
        raise _lacking(opening.missing)
    return Schedule(changes), list(opening.taken)


class _Opening:
    def __init__(self, *, written: bool) -> None:
        self.taken: dict[str, UnopenedObject] = {}
        self.missing: dict[str, UnopenedObject] = {}
        self._written = written

    def config(self, config: Config, space: Mapping[str, Any], above: str = "") -> Config:
        return {
            key: self._value(value, space.get(key, _NOTHING), f"{above}{key}")
            for key, value in config.items()
        }

    def _value(self, value: Any, given: Any, path: str) -> Any:
        if self._is_text_of_object(value, given):
            value = UnopenedObject(str(value))
        if isinstance(value, UnopenedObject):
            return self._object(value, given, path)
        if isinstance(value, Mapping):
            return self.config(dict(value), given if isinstance(given, Mapping) else {}, f"{path}.")
        if type(value) in {list, tuple}:
            beside: Sequence[Any] = given if isinstance(given, list | tuple) else ()
            if len(beside) != len(value):
                beside = [_NOTHING] * len(value)
            items = zip(value, beside, strict=True)
            kind = type(given) if type(given) in {list, tuple} else type(value)
            return kind(self._value(one, its, f"{path}.{place}") for place, (one, its) in enumerate(items))
        return value

    def _is_text_of_object(self, value: Any, given: Any) -> bool:
        """Whether this is the text of an object, or an array's list, in an older file, which does not say."""
        if not self._written or not isinstance(value, str | list):
            return False
        if isinstance(value, str) and is_of_an_object(value):
            return True
        options = options_of(given)
        return all(map(_is_object, options if options is not None else [given]))

    def _object(self, value: UnopenedObject, given: Any, path: str) -> Any:
        options = options_of(given)
        if options is None:
            is_constant = not (given is _NOTHING or isinstance(given, Domain | SampleFrom | UnopenedObject))
            if is_constant and self.taken.setdefault(path, value) == value:
                return given
        elif (fitting := [one for one in options if _text(repr(one)) == _text(value.text)]) and all(
            one is fitting[0] for one in fitting
        ):
            self.taken[path] = value
            return fitting[0]
        self.missing.setdefault(path, value)
        return value


def _is_object(given: Any) -> bool:
    no_objects = (str, int, float, list, tuple, Mapping, Domain, SampleFrom, UnopenedObject)
    return given is not _NOTHING and given is not None and not isinstance(given, no_objects)


def _text(text: str) -> str:
    return without_addresses(text)[:_SHOWN]


def _lacking(missing: Mapping[str, UnopenedObject]) -> ConfigurationError:
    shown = ", ".join(f"{path!r} ({value.text[:_SHOWN]})" for path, value in missing.items())
    nested: dict[str, Any] = {}
    for path in missing:
        inner = nested
        first, *rest = path.split(".")
        *above, last = first, *takewhile(lambda key: not key.isdecimal(), rest)
        for key in above:
            inner = inner.setdefault(key, {})
        inner.setdefault(last, ...)
    return ConfigurationError(
        f"A replay needs the values of the policy themselves, but it only names {shown}: give them, "
        f"Tuner(..., param_space={_as_code(nested)}); for one that changes on the way, tune.choice([...]) of "
        "all that it becomes"
    )


def _as_code(space: Mapping[str, Any]) -> str:
    inner = (
        f"{key!r}: {_as_code(value) if isinstance(value, dict) else '...'}" for key, value in space.items()
    )
    return f"{{{', '.join(inner)}}}"
