"""Roads that bytes take: each serves one transfer after another, at its own rate."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Link:
    """A network card, or all of a storage service.

    Args:
        bytes_per_s: Its rate.
    """

    bytes_per_s: float
    free_s: float = 0.0
    """When it will have served all that was asked of it."""
    _asked_s: float = 0.0

    def serve(self, now_s: float, size_bytes: float) -> float:
        """Have it serve bytes after all that it was asked for before; return when it has."""
        takes_s = size_bytes / self.bytes_per_s
        self.free_s = max(now_s, self.free_s) + takes_s
        self._asked_s += takes_s
        return self.free_s

    def busy_s(self, now_s: float) -> float:
        """Return for how long it has worked up to now."""
        return self._asked_s - max(0.0, self.free_s - now_s)


def transfer(now_s: float, size_bytes: float, *links: Link) -> float:
    """Send bytes over links that lie one behind the other, and return when they have arrived.

    The bytes stream: they have arrived when the link that comes to them last has served them. A link never
    rests while something waits for it.
    """
    return max(link.serve(now_s, size_bytes) for link in links)
