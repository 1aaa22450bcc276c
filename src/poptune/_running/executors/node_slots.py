"""The slots on a cluster: on which node each is, who lives and trains there, and how many there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from poptune._running.executors.cluster import Cluster

_REST_S = 30.0
"""How long nothing is started where something was told to end."""


@dataclass(slots=True, eq=False)
class Slot:
    """A placement group: what one running trial may use."""

    number: int
    node: str | None = None
    """The node of its first bundle; None while it has none."""
    residents: int = 0
    training: int = 0
    """How many of its residents train."""


@dataclass(slots=True)
class _Node:
    """All slots of a node together, so that nobody has to count them anew."""

    slots: list[Slot] = field(default_factory=list)
    residents: int = 0
    training: int = 0

    @property
    def is_full(self) -> bool:
        return self.training >= len(self.slots)

    @property
    def has_an_empty_slot(self) -> bool:
        return any(not slot.residents for slot in self.slots)

    @property
    def load(self) -> tuple[bool, float, int]:
        return self.is_full, self.residents / len(self.slots), self.slots[0].number


class NodeSlots:
    """The slots, and how many residents live in each, and how many of them train.

    A resident takes no CPU of its slot until it trains, so that several may live in one. Two slots on a node
    are as good as each other, so that what counts is how many train on a node. Where each trial has a slot
    for itself (on GPUs, and where trials are distributed), a slot has one resident.

    Args:
        count: How many slots there are to be. None is on a node yet.
        exclusive: Whether each resident needs a slot for itself.
    """

    def __init__(self, count: int, *, exclusive: bool) -> None:
        self.all = [Slot(number) for number in range(count)]
        self._exclusive = exclusive
        self._nodes: dict[str, _Node] = {}

    @property
    def ready(self) -> int:
        """How many can be used now."""
        return sum(len(node.slots) for node in self._nodes.values())

    def move(self, slot: Slot, node: str | None) -> None:
        """Note on which node a slot is now; None if it is on none."""
        if slot.node == node:
            return
        if slot.node is not None:
            before = self._nodes[slot.node]
            before.slots.remove(slot)
            self._add(slot, residents=-slot.residents, training=-slot.training)
            if not before.slots:
                del self._nodes[slot.node]
        slot.node = node
        if node is not None:
            self._nodes.setdefault(node, _Node()).slots.append(slot)
            self._add(slot, residents=slot.residents, training=slot.training)

    def live(self, slot: Slot, change: int) -> None:
        """Note that so many residents have come, or have gone."""
        slot.residents += change
        self._add(slot, residents=change)

    def train(self, slot: Slot, change: int) -> None:
        """Note that so many residents have begun to train, or wait again."""
        slot.training += change
        self._add(slot, training=change)

    def _add(self, slot: Slot, *, residents: int = 0, training: int = 0) -> None:
        if slot.node is not None:
            node = self._nodes[slot.node]
            node.residents += residents
            node.training += training

    def is_full(self, slot: Slot) -> bool:
        """Whether as many trials train on the slot's node as it has slots, or there is no such node."""
        return slot.node is None or self._nodes[slot.node].is_full

    def choose(self) -> Slot | None:
        """Return the slot for a new resident: where least is going on. None if there is no room."""
        nodes = [node for node in self._nodes.values() if node.has_an_empty_slot or not self._exclusive]
        if not nodes:
            return None
        least = min(nodes, key=lambda node: node.load)
        free = [slot for slot in least.slots if not (self._exclusive and slot.residents)]
        return min(free, key=lambda slot: (slot.training, slot.residents, slot.number))


class Residents:
    """Which worker lives in which slot: the :class:`poptune._running.executors.room.Room` on a cluster."""

    def __init__(self, slots: NodeSlots) -> None:
        self._slots = slots
        self._homes: dict[int, Slot] = {}

    def home(self, key: int) -> Slot:
        """Return the slot that a worker lives in."""
        return self._homes[key]

    def move(self, key: int, node: str) -> None:
        """Note on which node a worker, and so its slot, has come to be."""
        self._slots.move(self._homes[key], node)

    def enter(self, key: int) -> bool:
        slot = self._slots.choose()
        if slot is None or self._slots.is_full(slot):
            return False  # a slot more is on its way, or one has just gone
        self._homes[key] = slot
        self._slots.live(slot, 1)
        return True

    def leave(self, key: int) -> None:
        self._slots.live(self._homes.pop(key), -1)

    def train(self, key: int, *, trains: bool) -> None:
        self._slots.train(self._homes[key], 1 if trains else -1)

    def fits(self, key: int) -> bool:
        return not self._slots.is_full(self._homes[key])

    def has_more(self) -> bool:
        slot = self._slots.choose()
        return slot is not None and not self._slots.is_full(slot)


class SlotKeeper:
    """Follows the slots on a cluster whose nodes come and go, and says when there are more or fewer.

    Args:
        cluster: Where they are.
        slots: The books on them.
        told: How many the controller knows of.
        say: Is told how many there are now, whenever that changes.
    """

    def __init__(self, cluster: Cluster, slots: NodeSlots, *, told: int, say: Callable[[int], None]) -> None:
        self._cluster = cluster
        self._slots = slots
        self._told = told
        self._say = say
        self._resting: dict[int, float] = {}
        """Slots that are not used until then."""
        for slot in slots.all:
            cluster.await_slot(slot.number)

    def settle(self, number: int) -> bool:
        """Take a slot into use that is ready, as the cluster says; return whether it is."""
        if number in self._resting:
            return False
        slot = self._slots.all[number]
        self._slots.move(slot, self._cluster.node_of(number))
        if slot.node is None:
            self._cluster.await_slot(number)
            return False
        if self._slots.ready > self._told:
            self.tell()
        return True

    def check(self, slot: Slot) -> None:
        """See whether a slot in which something has died is still there."""
        if slot.node is not None and self._cluster.node_of(slot.number) != slot.node:
            self._slots.move(slot, None)
            self._cluster.await_slot(slot.number)
            self.tell()

    def rest(self, slot: Slot, now_s: float) -> None:
        """Use a slot no more for a while: its machine, most likely, is about to go."""
        self._slots.move(slot, None)
        self._resting[slot.number] = now_s + _REST_S
        self.tell()

    def wake(self, now_s: float) -> None:
        """Wait again for the slots that have rested long enough."""
        for number, until_s in list(self._resting.items()):
            if now_s > until_s:
                del self._resting[number]
                self._cluster.await_slot(number)

    def tell(self) -> None:
        """Say how many slots there are, if that has changed."""
        ready = max(1, self._slots.ready)
        if ready != self._told:
            self._told = ready
            self._say(ready)
