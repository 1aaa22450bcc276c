"""Memory of a process, from /proc. Only on Linux."""

import os
import re
from pathlib import Path

MB = 1_000_000


def is_known():
    return Path("/proc/self/smaps_rollup").exists()


def proportional_and_private_mb(pid):
    """Return a process's share of the pages that it uses with others, and the pages that it has alone."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kilobytes = {
        name: int(amount) for name, amount in re.findall(r"^(\w+):\s+(\d+) kB$", rollup, re.MULTILINE)
    }
    private = kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]
    return kilobytes["Pss"] * 1024 / MB, private * 1024 / MB


def parent_of(pid):
    return int(re.search(r"^PPid:\s+(\d+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[1])


def resident_mb():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MB
