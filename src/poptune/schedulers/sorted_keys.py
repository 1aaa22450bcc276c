"""Keys kept in order: found, added and removed in a time that hardly grows with their number."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=tuple[Any, ...])

_LONGEST_RUN = 1024
"""A list of this length is moved by one place in less time than it takes to find the place."""


class SortedKeys(Generic[Key]):
    """Distinct keys, the lowest first, in sorted runs of bounded length."""

    def __init__(self) -> None:
        self._runs: list[list[Key]] = []
        self._last: list[Key] = []
        """The last key of each run, so that the run of a key is found by bisection."""
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, key: Key) -> None:
        """Put a key, which is not there yet, in its place."""
        self._size += 1
        if not self._runs:
            self._runs.append([key])
            self._last.append(key)
            return
        place = min(bisect_left(self._last, key), len(self._runs) - 1)
        run = self._runs[place]
        insort(run, key)
        self._last[place] = run[-1]
        if len(run) > _LONGEST_RUN:
            self._split(place)

    def _split(self, place: int) -> None:
        run = self._runs[place]
        half = len(run) // 2
        self._runs.insert(place + 1, run[half:])
        del run[half:]
        self._last.insert(place, run[-1])

    def remove(self, key: Key) -> None:
        """Take out a key, which is there."""
        self._size -= 1
        place = bisect_left(self._last, key)
        run = self._runs[place]
        del run[bisect_left(run, key)]
        if run:
            self._last[place] = run[-1]
        else:
            del self._runs[place], self._last[place]

    def position(self, key: Key) -> int:
        """Return how many keys are lower."""
        place = bisect_left(self._last, key)
        before = sum(map(len, self._runs[:place]))
        return before + (bisect_left(self._runs[place], key) if place < len(self._runs) else 0)

    def __getitem__(self, position: int) -> Key:
        """Return the key that has this many lower ones.

        Raises:
            IndexError: There are not so many.
        """
        for run in self._runs if position >= 0 else ():
            if position < len(run):
                return run[position]
            position -= len(run)
        raise IndexError(position)
