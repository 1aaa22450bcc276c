"""Where trials go on a cluster: what fits where, and who shares whose slot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Amounts = Mapping[str, float]
Strategy = Literal["PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD"]
"""How the bundles of one trial lie on the nodes."""


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the cluster."""

    id: str
    total: Amounts
    """What it has, by the cluster's names."""


def lacking(bundles: Sequence[Amounts], nodes: Sequence[Node]) -> list[str]:
    """Say what of these bundles no node will ever have; empty if each fits on some node."""
    found = []
    for bundle in bundles:
        if any(_fits(bundle, node.total) for node in nodes):
            continue
        alone = [
            name for name, amount in bundle.items() if not any(_has(node, name, amount) for node in nodes)
        ]
        for name in alone:
            most = max((node.total.get(name, 0) for node in nodes), default=0)
            found.append(f"{bundle[name]:g} {name} on one node, where no node has more than {most:g}")
        if not alone:
            together = " and ".join(f"{amount:g} {name}" for name, amount in bundle.items())
            found.append(f"{together} together, which no node has")
    return list(dict.fromkeys(found))


def _has(node: Node, name: str, amount: float) -> bool:
    return node.total.get(name, 0) >= amount


def _fits(bundle: Amounts, room: Amounts) -> bool:
    return all(room.get(name, 0) + 1e-9 >= amount for name, amount in bundle.items())


def count_fitting(bundles: Sequence[Amounts], nodes: Iterable[Node], *, most: int) -> int:
    """Return how many groups of these bundles fit into the nodes, up to a number."""
    rooms = [dict(node.total) for node in nodes]
    for count in range(most):
        for bundle in bundles:
            room = next((room for room in rooms if _fits(bundle, room)), None)
            if room is None:
                return count
            for name, amount in bundle.items():
                room[name] = room.get(name, 0) - amount
    return most


@dataclass(slots=True)
class Slot:
    """A placement group: what one running trial may use."""

    number: int
    node: str | None = None
    """The node of its first bundle; None while it has none."""

    @property
    def is_ready(self) -> bool:
        return self.node is not None


@dataclass(slots=True)
class Slots:
    """The slots, and how many residents live in each, and how many of them train.

    A resident takes no CPU of its slot until it trains, so that several may live in one. Two slots on a node
    are as good as each other, so that what counts is how many train on a node. Where each trial has a slot
    for itself (on GPUs, and where trials are distributed), a slot has one resident.
    """

    slots: list[Slot]
    exclusive: bool
    residents: Counter[int] = field(default_factory=Counter)
    training: Counter[int] = field(default_factory=Counter)

    @property
    def ready(self) -> int:
        """How many can be used now."""
        return sum(slot.is_ready for slot in self.slots)

    def is_full(self, slot: Slot) -> bool:
        """Whether as many trials train on the slot's node as it has slots."""
        same = [other.number for other in self.slots if other.node == slot.node]
        return sum(self.training[number] for number in same) >= len(same)

    def choose(self) -> Slot | None:
        """Return the slot for a new resident: where least is going on. None if there is no room."""
        ready = [slot for slot in self.slots if slot.is_ready]
        if self.exclusive:
            ready = [slot for slot in ready if not self.residents[slot.number]]
        return min(ready, key=self._load, default=None)

    def _load(self, slot: Slot) -> tuple[bool, float, int, int, int]:
        same = [other.number for other in self.slots if other.node == slot.node]
        on_node = sum(self.residents[number] for number in same)
        return (
            self.is_full(slot),
            on_node / len(same),
            self.training[slot.number],
            self.residents[slot.number],
            slot.number,
        )
