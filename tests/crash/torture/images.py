"""Takes a picture of the disk at each moment of a run at which something on it is about to change.

What a controller leaves that is killed at that moment is just this: all that it had done, and nothing of what
it would have done next, be it in a ``finally``. So each picture is a crash, and to go on from it is a resume.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from poptune._running.controller.cleaning import Cleaning
from torture.disk import Point, listening

Files = Mapping[str, bytes | None]
"""The content of each file by its path in the folder; ``None`` for a folder."""


@dataclass(frozen=True)
class Image:
    """A folder as it was."""

    point: Point
    files: Files

    def lay_out(self, folder: Path) -> None:
        """Make the folder that it is of once more."""
        for name, content in self.files.items():
            if content is None:
                (folder / name).mkdir()
            else:
                (folder / name).write_bytes(content)


def images_of(
    storage: Path, act: Callable[[], object], *, wanted: Callable[[int], bool] = lambda number: True
) -> tuple[list[Image], int]:
    """Run something that writes into a folder, and return what could be found there if it were killed.

    Moments that differ in nothing are one.

    Args:
        storage: The folder.
        act: What is run. It may have several threads, but only one that runs.
        wanted: Which of the images to return, by their numbers from 0.

    Returns:
        The images that were wanted, and how many there are in all.
    """
    images: list[Image] = []
    last: list[Files] = []
    count = 0

    def take(point: Point) -> None:
        nonlocal count
        files = _files(storage)
        if files in last:
            return
        last[:] = [files]
        if wanted(count):
            images.append(Image(point, files))
        count += 1

    with listening(storage, take), mock.patch.object(Cleaning, "tidy", _tidy_and_wait):
        act()
    return images, count


_tidy = Cleaning.tidy


def _tidy_and_wait(cleaning: Cleaning) -> None:
    """Delete at once, since of two threads that write no picture could be taken."""
    _tidy(cleaning)
    if cleaning._under_way is not None:
        cleaning._under_way.exception()


def _files(folder: Path) -> Files:
    return {
        path.relative_to(folder).as_posix(): None if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }
