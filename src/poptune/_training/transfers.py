"""Checkpoints on their way to another machine: the files of a stored folder, to be sent to where that is not.

What arrives is laid out in memory that all processes of this machine can map, and there it is what it was:
its arrays are mapped privately, its checksums hold.
"""

from __future__ import annotations

import mmap
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poptune._base.attempts import attempt
from poptune._base.notices import warn
from poptune._keeping.checkpoints import Checkpoint
from poptune._training.session import States
from poptune._training.shared import new_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Files = Mapping[str, NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class Transfer:
    """A checkpoint that goes along with the order to go on from it."""

    path: str
    files: Any
    """A reference to what :func:`pack` has returned, or will return."""


def pack(folder: Path, *, limit_bytes: float) -> Files:
    """Return the files of a folder by their relative paths, as views of them.

    Raises:
        OSError: They cannot be read, or are more than the limit.
    """
    import numpy as np

    files: dict[str, Any] = {}
    size_bytes = 0
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            size_bytes += path.stat().st_size
            if size_bytes > limit_bytes:
                raise OSError(f"its files are more than {limit_bytes / 1e6:.0f} MB, half of an object store")
            files[path.relative_to(folder).as_posix()] = _view(path, np)
    if not files:
        raise FileNotFoundError(f"{folder} holds no files")
    return files


def _view(path: Path, np: Any) -> Any:
    with path.open("rb") as file:
        if not path.stat().st_size:
            return np.zeros(0, np.uint8)
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)


def unpack(files: Files) -> Path:
    """Lay out files in memory, and return their folder."""
    folder = new_folder()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.data)
    return folder


class ReceivingStates:
    """A store, before which checkpoints are looked for among those that were sent here.

    Args:
        store: Where everything is saved, and what was not sent is found.
        fetch: Returns the files that a reference stands for; may raise anything.
        sent: References to the files of checkpoints by their paths; each is taken out when it is opened.
    """

    def __init__(self, store: States, fetch: Callable[[Any], Files], sent: dict[str, Any]) -> None:
        self._store = store
        self._fetch = fetch
        self._sent = sent
        self._open: tuple[str, Path] | None = None
        self._has_warned = False

    def save(self, checkpoint: Checkpoint, *, folder: str, number: int) -> object:
        return self._store.save(checkpoint, folder=folder, number=number)

    def open(self, relative_path: str, *, trusted: bool = False) -> Checkpoint:
        """Return a checkpoint: out of its files if they were sent and did arrive, else from the store."""
        if (reference := self._sent.pop(relative_path, None)) is not None:
            attempt(lambda: self._lay_out(relative_path, self._fetch(reference)), or_else=self._tell)
        if self._open is not None and self._open[0] == relative_path:
            return Checkpoint.from_store(self._open[1], trusted=trusted)
        return self._store.open(relative_path, trusted=trusted)

    def _lay_out(self, relative_path: str, files: Files) -> None:
        if self._open is not None:
            shutil.rmtree(self._open[1], ignore_errors=True)  # who has it mapped keeps it
            self._open = None
        self._open = relative_path, unpack(files)

    def _tell(self, error: Exception) -> None:
        if not self._has_warned:
            self._has_warned = True
            told = str(error).partition("\n")[0]
            warn(
                "A checkpoint that was to come from another machine's memory is read from storage instead, "
                f"which costs time and nothing else ({type(error).__name__}: {told})"
            )
