"""Values that are no JSON, such as classes: kept in a file beside the journal, which names them by number."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from poptune._base import pickling
from poptune._base.copies import copied
from poptune._base.equality import same
from poptune._base.script import Script
from poptune._core.unopened import UnopenedObject
from poptune.errors import JournalError

_UNOPENED = (
    "{path} must hold the experiment's trainable and what else is its user's, but cannot be opened "
    "({error}): restore with the code importable that was run before"
)


class Objects(Protocol):
    """Numbers for values, and values for numbers."""

    def number(self, value: Any) -> int:
        """Return the number under which a value is, or is from now on, kept."""
        ...

    def value(self, number: int, text: str) -> Any:
        """Return the value with this number; ``text`` is its ``repr`` as the journal has it."""
        ...


class ObjectTable:
    """Values by number. With a path, each new one is on disk before its number is given out.

    What is kept is as the value was then: one that was changed since gets a number of its own. Values that
    are the same have one number, also where each was unpickled for itself.

    The file is a sequence of pickles, one a value; a torn last one was never named by the journal.
    """

    def __init__(
        self,
        values: Sequence[Any] = (),
        path: Path | None = None,
        whole_bytes: int = 0,
        loader: pickling.Loader | None = None,
    ) -> None:
        self._values = list(values)
        self._path = path
        self._whole_bytes = whole_bytes
        self._loader = loader or pickling.Loader()

    @classmethod
    def create(cls, path: Path, first: Any) -> ObjectTable:
        """Begin a file with a first value, which nothing is ever taken for; it appears by rename."""
        aside = path.with_name(path.name + ".new")
        with aside.open("wb") as file:
            file.write(pickling.dumps(first))
            file.flush()
            os.fsync(file.fileno())
            whole_bytes = file.tell()
        aside.replace(path)
        return cls([first], path=path, whole_bytes=whole_bytes)

    @classmethod
    def open(cls, path: Path, script: Script | None = None) -> ObjectTable:
        """Open a file, which runs the code in it.

        With a script, what it defines today is taken for what it defined when the file was written.

        Nothing is written: the experiment may be going on. Who continues it calls :meth:`take_over`.

        Raises:
            JournalError: The file is missing or is no such file.
        """
        table = cls(path=path, loader=pickling.Loader(script))
        table._read_on(path)
        if not table._values:
            raise JournalError(_UNOPENED.format(path=path, error="it is empty or torn"))
        return table

    def take_over(self) -> None:
        """Become the one who writes: take in what was appended since, and cut off what was torn.

        Raises:
            JournalError: The file cannot be read.
        """
        if self._path is not None:
            self._read_on(self._path)
            if self._path.stat().st_size > self._whole_bytes:
                os.truncate(self._path, self._whole_bytes)

    def _read_on(self, path: Path) -> None:
        with _errors_explained(path), path.open("rb") as file:
            file.seek(self._whole_bytes)
            while True:
                try:
                    self._values.append(self._loader.load(file))
                except (EOFError, pickle.UnpicklingError):
                    break
                self._whole_bytes = file.tell()

    def number(self, value: Any) -> int:
        for number, kept in enumerate(self._values):
            if type(kept) is type(value) and same(kept, value):
                return number
        return self.add(value)

    def add(self, value: Any) -> int:
        """Keep a value under a number of its own, and return that.

        Raises:
            JournalError: It cannot be pickled.
        """
        if self._path is not None:
            content = _pickled(value)
            with self._path.open("ab") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                self._whole_bytes = file.tell()
        self._values.append(copied(value))
        return len(self._values) - 1

    def value(self, number: int, text: str) -> Any:
        if number >= len(self._values):
            raise JournalError(f"The journal names object {number} ({text}), which objects.pkl lacks")
        return self._values[number]


def _pickled(value: Any) -> bytes:
    try:
        return pickling.dumps(value)
    except Exception as error:  # pickling runs code of any kind
        raise JournalError(
            f"The journal must be able to keep the values of all configs, but {value!r} cannot be pickled "
            f"({type(error).__name__}: {error}): have the config name it, and create it in the training code"
        ) from error


@contextmanager
def _errors_explained(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise JournalError(
            f"{path} must hold the experiment's trainable and what else is its user's, but it is not there: "
            "without it the results can be read, ResultGrid.from_path(path), but not continued or verified; "
            "bring the file back, or begin a new experiment"
        ) from error
    except Exception as error:  # a pickle that was changed may raise anything
        raise JournalError(_UNOPENED.format(path=path, error=f"{type(error).__name__}: {error}")) from error


class UnopenedObjects:
    """For readers: gives placeholders and runs nothing."""

    def number(self, value: Any) -> int:
        raise JournalError(f"A journal opened for reading cannot keep {value!r}")

    def value(self, number: int, text: str) -> UnopenedObject:
        return UnopenedObject(text, number)
