"""Files that are appended to, or replaced as a whole: written aside, then renamed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from poptune._base.notices import warn

_TRIES = 3
_ODD = "backslashreplace"
"""What becomes of a text that is no Unicode, such as a file name of undecodable bytes."""


def append_text(path: Path, text: str) -> None:
    """Add text to a file, which is made, with its folder, if it is not there."""
    with obstacles_told(path):
        try:
            file = path.open("a", encoding="utf-8", errors=_ODD, newline="")
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a", encoding="utf-8", errors=_ODD, newline="")
        with file:
            file.write(text)


def replace_text(path: Path, text: str) -> None:
    """Put a whole new text in the place of a file."""
    with obstacles_told(path):
        for _ in range(_TRIES):
            path.parent.mkdir(parents=True, exist_ok=True)
            aside = path.with_name(f".{path.name}.new")
            with suppress(FileNotFoundError):  # the user's code empties the folder just now
                aside.write_text(text, encoding="utf-8", errors=_ODD, newline="")
                aside.replace(path)
                return


@contextmanager
def obstacles_told(path: Path) -> Iterator[None]:
    """Have a run go on without a file whose place the user's code has taken: the folder is the user's."""
    try:
        yield
    except (
        FileExistsError,
        FileNotFoundError,
        IsADirectoryError,
        NotADirectoryError,
    ) as error:
        warn(
            f"{path} cannot be written ({error.strerror}), so this file is not kept up to date; the journal "
            "has it all: remove what is in its place"
        )


def as_json(value: Any) -> Any:
    """Return what stands in a JSON file for a config value that is no JSON: numbers of numpy are numbers."""
    is_array = type(value).__module__ == "numpy" and hasattr(value, "tolist")  # a function of numpy is none
    plain = value.tolist() if is_array else value
    return repr(value) if type(plain) is type(value) else plain
