"""How full the machine's memory is."""

from __future__ import annotations

from pathlib import Path

_KIB_PER_GIB = 1 << 20


def memory_text() -> str:
    """Return ``memory 3.1/15.6 GiB``, or nothing where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        kibibytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
        total, available = kibibytes["MemTotal"], kibibytes["MemAvailable"]
    except (OSError, ValueError, LookupError):
        return ""
    return f"memory {(total - available) / _KIB_PER_GIB:.1f}/{total / _KIB_PER_GIB:.1f} GiB"
