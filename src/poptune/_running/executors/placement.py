"""What fits where on a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
