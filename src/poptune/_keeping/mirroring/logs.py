"""The files beside journal and checkpoints: results, what trials print, and files of the user's."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from poptune._base.layout import is_reserved
from poptune._base.places import CHECKPOINTS, checkpoint_of
from poptune._keeping.storage.locations import is_safe
from poptune._keeping.storage.remote import Remote

_LEAST_PAUSE_S = 30.0
_UPLOADS_A_SECOND = 5.0
"""Each upload is paid for, and many trials have many files."""
_BYTES_A_SECOND = 1 << 20
"""A file that grows is uploaded anew as a whole, so the larger it is, the less often."""


@dataclass(frozen=True, slots=True)
class _Version:
    size_bytes: int
    modified_ns: int


class Logs:
    """Uploads those of an experiment's files that have changed.

    Args:
        root: The experiment's folder.
        remote: Its remote folder.
    """

    def __init__(self, root: Path, remote: Remote) -> None:
        self._root = root
        self._remote = remote
        self._uploaded: dict[str, tuple[_Version, float]] = {}
        self._look_next_s = 0.0

    def due(self, *, all_of_them: bool = False) -> list[str]:
        """Return the names of those whose time has come to be uploaded if they have changed, or of all."""
        now_s = time.monotonic()
        if not all_of_them and now_s < self._look_next_s:
            return []
        names = [path.relative_to(self._root).as_posix() for path in log_files(self._root)]
        self._look_next_s = now_s + max(_LEAST_PAUSE_S, len(names) / _UPLOADS_A_SECOND)
        return [name for name in names if all_of_them or self._is_due(name, now_s)]

    def _is_due(self, name: str, now_s: float) -> bool:
        uploaded = self._uploaded.get(name)
        return uploaded is None or now_s - uploaded[1] >= uploaded[0].size_bytes / _BYTES_A_SECOND

    def bring(self, name: str) -> None:
        """Upload a file, unless it is there as it is.

        Raises:
            RemoteError: The storage fails.
        """
        try:
            status = (self._root / name).stat()
            version = _Version(status.st_size, status.st_mtime_ns)
            before, _ = self._uploaded.get(name, (None, 0.0))
            if version != before:
                self._remote.upload(self._root / name, name)
                self._uploaded[name] = version, time.monotonic()
        except FileNotFoundError:  # the user's code has removed it just now
            pass


def log_files(root: Path) -> Iterator[Path]:
    """Return the files in an experiment's folder that are no journal, objects or checkpoints, nor hidden."""
    with_trials = not (root / CHECKPOINTS).is_dir()
    for path in _files(root):
        name = path.relative_to(root).as_posix()
        if is_log(name, with_trials=with_trials) and is_safe(name):
            yield path


def is_log(name: str, *, with_trials: bool) -> bool:
    """Whether what has this name in an experiment's folder is such a file.

    Args:
        name: Its path in there.
        with_trials: Whether the experiment keeps checkpoints in its trials' folders.
    """
    parts = name.split("/")
    if len(parts) == 1:
        return not name.startswith(".") and (not is_reserved(name) or name.startswith("pbt_"))
    is_ours = parts[0] == CHECKPOINTS or checkpoint_of(name, with_trials=with_trials)
    return not is_ours and not any(part.startswith(".") for part in parts)


def _files(folder: Path) -> Iterator[Path]:
    for entry in os.scandir(folder):
        if entry.is_symlink() or entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _files(Path(entry.path))
        elif entry.is_file():
            yield Path(entry.path)
