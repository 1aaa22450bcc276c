"""Roads that bytes take: each serves one transfer after another, at its own rate."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Link:
    """A network card, a disk, or all of a storage service.

    Args:
        bytes_per_s: Its rate.
    """

    bytes_per_s: float
    free_s: float = 0.0
    """When it has served all that was asked of it."""
    busy_s: float = 0.0
    """For how long it has worked, in all."""


def transfer(now_s: float, size_bytes: float, *links: Link) -> float:
    """Send bytes over links that lie one behind the other, and return when they have arrived.

    It begins when all links are free, and goes as fast as the slowest one; a faster one is free again for
    others before it ends.
    """
    begin_s = max(now_s, *(link.free_s for link in links))
    for link in links:
        takes_s = size_bytes / link.bytes_per_s
        link.free_s = begin_s + takes_s
        link.busy_s += takes_s
    return begin_s + size_bytes / min(link.bytes_per_s for link in links)
