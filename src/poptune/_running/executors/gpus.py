"""Hands GPUs to workers, whole or in fractions, by ``CUDA_VISIBLE_DEVICES``; CUDA itself is not touched."""

from __future__ import annotations

import os
from itertools import takewhile
from pathlib import Path

from poptune.errors import ConfigurationError


def visible_gpus() -> list[str]:
    """Return the ids of the GPUs that this process may use, without starting CUDA."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        names = (name.strip() for name in named.split(","))
        return list(takewhile(lambda name: name not in {"", "-1"}, names))  # as CUDA reads it
    devices = [path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*")]
    return sorted((name for name in devices if name.isdigit()), key=int)


def slots_on_gpus(per_trial: float, gpus: list[str]) -> int:
    """Return how many trials fit on the GPUs.

    Raises:
        ConfigurationError: Not even one does, or the amount is neither a fraction of one nor whole.
    """
    if per_trial > 1 and per_trial != int(per_trial):
        raise ConfigurationError(
            f"gpu must be a fraction of one device or a whole number of them, got {per_trial:g}"
        )
    slots = int(len(gpus) / per_trial) if per_trial > 1 else len(gpus) * int(1 / per_trial + 1e-9)
    if slots < 1:
        raise ConfigurationError(
            f"Each trial needs {per_trial:g} GPUs, but this machine shows {len(gpus)} of them"
            f"{' (' + ', '.join(gpus) + ')' if gpus else ''}: ask for fewer with tune.with_resources(...), "
            "or check CUDA_VISIBLE_DEVICES"
        )
    return slots


class GpuPool:
    """Which worker uses which devices. A worker keeps its devices as long as it lives."""

    def __init__(self, per_worker: float, gpus: list[str]) -> None:
        self._per_worker = per_worker
        self._load = dict.fromkeys(gpus, 0.0)

    def take(self) -> list[str]:
        """Return the least loaded devices for one more worker; none if workers need none."""
        if not self._per_worker:
            return []
        count = max(1, int(self._per_worker))
        devices = sorted(self._load, key=lambda gpu: self._load[gpu])[:count]
        for device in devices:
            self._load[device] += self._per_worker / count
        return devices

    def give_back(self, devices: list[str]) -> None:
        """Take note that a worker with these devices has ended."""
        for device in devices:
            self._load[device] -= self._per_worker / len(devices)
