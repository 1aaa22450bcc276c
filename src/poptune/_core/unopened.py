"""Values that are no JSON, where no code of the experiment may run: only what they print as is known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from poptune.errors import ConfigurationError
from poptune.search_space import Choice, GridSearch, Ordinal

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_AN_OBJECT = re.compile(
    r"<(function|class|module|built-in|ufunc|bound method|.* at 0x[0-9a-fA-F]+)\b.*>", re.DOTALL
)


@dataclass(frozen=True, slots=True, eq=False)
class UnopenedObject:
    """Stands for a value that is no JSON.

    Two of one journal are equal if they are the same value there; else those are that print alike, wherever
    in memory they were.
    """

    text: str
    """What the value printed as."""
    number: int | None = None
    """Its number in the journal, if it comes from there."""

    @property
    def bare_text(self) -> str:
        """The text without addresses, which are others in each process."""
        return without_addresses(self.text)

    @property
    def _key(self) -> int | str:
        return self.bare_text if self.number is None else self.number

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, UnopenedObject) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return self.text


def without_addresses(text: str) -> str:
    """Return a text without the places in memory that it names."""
    return _ADDRESS.sub("", text)


def is_of_an_object(text: str) -> bool:
    """Whether a text is what a function, a class or an object without a text of its own prints as."""
    return _AN_OBJECT.fullmatch(text) is not None


def options_of(given: Any) -> Sequence[Any] | None:
    """Return all that a place in a space may become, if that is a matter of so many values."""
    if isinstance(given, Choice):
        return given.categories
    return given.values if isinstance(given, GridSearch | Ordinal) else None


def refuse_unopened(what: str, value: Any) -> None:
    """Raise ``ConfigurationError`` if a value, or one in it, only stands for an object."""
    for path, found in _unopened(value, what):
        raise ConfigurationError(
            f"{what} must hold the values themselves, but {path} only stands for {found}, as results do that "
            "are read without the code of their experiment: put the value in its place"
        )


def _unopened(value: Any, path: str) -> Iterator[tuple[str, UnopenedObject]]:
    if isinstance(value, UnopenedObject):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _unopened(inner, f"{path}[{key!r}]")
    else:
        options = value if isinstance(value, list | tuple) else options_of(value)
        for place, inner in enumerate(options or ()):
            yield from _unopened(inner, f"{path}[{place}]")
