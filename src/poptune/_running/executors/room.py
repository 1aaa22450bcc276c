"""What the desk for workers asks about the place where they are."""

from __future__ import annotations

from typing import Protocol


class Room(Protocol):
    """Where workers are, and how many of them may train there."""

    def enter(self, key: int) -> bool:
        """Take in one more worker, which is to train; return False if there is no room for it."""
        ...

    def leave(self, key: int) -> None:
        """Note that a worker is gone."""
        ...

    def train(self, key: int, *, trains: bool) -> None:
        """Note that a worker has begun to train, or trains no more; one that waits for an answer does not."""
        ...

    def fits(self, key: int) -> bool:
        """Whether a worker could train where it is."""
        ...

    def has_more(self) -> bool:
        """Whether there is room for one more worker that trains."""
        ...


class Boundless:
    """Room for as many workers as there come to be; how many trials are in memory, the controller decides."""

    def enter(self, key: int) -> bool:
        return True

    def leave(self, key: int) -> None: ...

    def train(self, key: int, *, trains: bool) -> None: ...

    def fits(self, key: int) -> bool:
        return True

    def has_more(self) -> bool:
        return True
