"""How much memory the machine has left."""

from __future__ import annotations

from pathlib import Path

LEAST_FREE = 0.08
"""With a smaller fraction left, trials that only wait are given up to their checkpoints."""
CHECK_S = 1.0
"""How often that is looked at."""


def available_memory() -> float | None:
    """Return the fraction of memory that is available; ``None`` where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    if "MemAvailable" not in kilobytes:
        return None
    return kilobytes["MemAvailable"] / kilobytes["MemTotal"]
