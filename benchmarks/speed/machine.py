"""On what it was measured."""

import os
import platform
import re
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

DISTRIBUTIONS = ("poptune", "ray", "syne-tune", "torch", "numpy", "msgspec", "safetensors")


def machine() -> dict[str, str | int | float]:
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "platform": _platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def _platform() -> str:
    release = ".".join(platform.release().split(".")[:2])
    libc = " ".join(platform.libc_ver())
    return " ".join(part for part in (platform.system(), release, platform.machine(), libc) if part)


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    named = re.search(r"^model name\s*: (.+)$", lines, re.MULTILINE)
    return named[1] if named else platform.machine()


def installed(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def versions() -> dict[str, str]:
    return {name: found for name in DISTRIBUTIONS if (found := installed(name))}


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def circumstances() -> dict[str, object]:
    """Return what stands at the head of every file of results. To be asked before anything is measured."""
    return {
        "date": now(),
        "machine": machine(),
        "versions": versions(),
        "interpreter": sys.version,
        "load_before": [round(load, 2) for load in os.getloadavg()],
    }
