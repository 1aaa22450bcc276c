"""What the workers on a cluster need of it; a fake of it fits on one screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from poptune._training.remote_worker import Greeting, Heard
from poptune._training.transfers import Transfer


@dataclass(frozen=True, slots=True)
class Greeted:
    """An actor is there."""

    key: int
    greeting: Greeting


@dataclass(frozen=True, slots=True)
class Said:
    """An actor has answered a :meth:`Cluster.listen`."""

    key: int
    heard: Heard


@dataclass(frozen=True, slots=True)
class Obeyed:
    """An order has arrived."""

    key: int
    number: int


@dataclass(frozen=True, slots=True)
class CallFailed:
    """A call of an actor came to nothing."""

    key: int
    call: Literal["greet", "work", "listen", "order"]
    kind: Literal["dead", "unreachable", "broken", "never began"]
    """What that says about the actor; one that is unreachable may be so for a moment only."""
    reason: str


@dataclass(frozen=True, slots=True)
class SlotReady:
    """A slot's resources are there."""

    number: int


ClusterEvent = Greeted | Said | Obeyed | CallFailed | SlotReady


class Cluster(Protocol):
    """Starts actors in slots, and calls them. No call waits: what comes of it is an event."""

    def await_slot(self, number: int) -> None:
        """Have it said when a slot is ready, which may have been taken away before."""
        ...

    def node_of(self, number: int) -> str | None:
        """Return the node that a slot is on now; None if it has to be placed first."""
        ...

    def start(self, key: int, slot: int) -> None:
        """Start an actor, and have it greet."""
        ...

    def begin(self, key: int) -> None:
        """Have an actor work, until it is told to quit."""
        ...

    def order(self, key: int, number: int, data: bytes, transfer: Transfer | None) -> None:
        """Send an order."""
        ...

    def listen(self, key: int, heard: int) -> None:
        """Ask for what an actor has to say after the batch of this number."""
        ...

    def pack(self, key: int, path: str) -> Any:
        """Have an actor pack a checkpoint that it has saved; return a reference to the files to be."""
        ...

    def kill(self, key: int) -> None:
        """End an actor at once; it may be dead already."""
        ...

    def events(self, timeout_s: float) -> Sequence[ClusterEvent]:
        """Return what has happened; wait up to ``timeout_s`` for the first."""
        ...

    def close(self) -> None:
        """Give everything back to the cluster."""
        ...
