"""Long runs of many trials: the controller's memory and descriptors must not grow with what has happened."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
import uuid
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from poptune._core.experiment import Experiment
from poptune._keeping.journal import ObjectTable, SqliteJournal
from poptune.testing.simulation import World, created
from torture.climbing import Climb
from torture.crashing import empty, go_on
from torture.outcome import problems
from torture.processes import Family, left_after
from torture.simulated import Simulation
from torture.victim import output_of, start

_MOST_GROWTH_MB = 16.0
_MOST_GROWTH_DESCRIPTORS = 6.0
_KILL_EVERY_S = 0.7
_STEP_S = 0.006
"""Short, but so many steps of it that there is time for a good many kills."""
_SAMPLE_EVERY_S = 0.2
_SAMPLE_EVERY_RESULTS = 500


@dataclass
class Soak:
    """How a process fared."""

    name: str
    memory_mb: list[float] = field(default_factory=list)
    descriptors: list[float] = field(default_factory=list)
    kills: int = 0
    problems: list[str] = field(default_factory=list)

    def sample(self, pid: int) -> bool:
        """Look at the process; False if it is gone."""
        try:
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        except (FileNotFoundError, ProcessLookupError, IndexError):
            return False
        self.memory_mb.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
        self.descriptors.append(float(descriptors))
        return True

    def judge(self) -> None:
        """Note what has grown that should not."""
        if len(self.memory_mb) < 9:
            self.problems.append(f"it was over after {len(self.memory_mb)} samples")
        elif (grown := growth(self.memory_mb)) > _MOST_GROWTH_MB:
            self.problems.append(f"its memory has grown by {grown:.1f} MB")
        elif (grown := growth(self.descriptors)) > _MOST_GROWTH_DESCRIPTORS:
            self.problems.append(f"it has {grown:.1f} more open files at the end")

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.kills} kills, memory {self.memory_mb[0]:.0f} to "
            f"{max(self.memory_mb):.0f} MB, "
            f"{growth(self.memory_mb):+.1f} MB and {growth(self.descriptors):+.1f} descriptors over its last "
            "two thirds"
        )


def growth(values: Sequence[float]) -> float:
    """Return how much a straight line through the last two thirds of some values rises."""
    late = list(values)[len(values) // 3 :]
    slope = np.polyfit(range(len(late)), late, 1)[0]
    return float(slope * (len(late) - 1))


class _Forgetful(set[Any]):
    """Stands where the simulated workers collect what they have deleted."""

    def add(self, _: Any) -> None:
        """Do nothing."""


class _Journaled:
    """Stands where the simulated world collects events, and writes them to the disk instead."""

    def __init__(self, path: Path, soak: Soak) -> None:
        self._path = path
        self._soak = soak
        self._journal: SqliteJournal | None = None
        self.count = 0

    def extend(self, events: Sequence[Any]) -> None:
        """Take what has happened."""
        if self._journal is None:
            self._journal = SqliteJournal.create(self._path, events, ObjectTable())
        else:
            self._journal.append(events)
        self.count += 1
        if self.count % _SAMPLE_EVERY_RESULTS == 0:
            self._soak.sample(os.getpid())

    def close(self) -> None:
        """Let go of the file."""
        if self._journal is not None:
            self._journal.close()


def soak_in_the_simulator(scratch: Path, *, trials: int = 2000, iterations: int = 20) -> Soak:
    """Run a large population on a virtual clock, with a journal on the disk."""
    soak = Soak(f"{trials} trials x {iterations}, simulated")
    simulation = Simulation(synch=False, trials=trials, iterations=iterations, interval=5, slots=64)
    world = World(
        Experiment(simulation.scheduler, simulation.settings),
        lambda trial, iteration, config: iteration * config["lr"],
        iterations=iterations,
        duration_s=lambda trial, iteration: 1.0 + zlib.crc32(f"{trial} {iteration}".encode()) % 97 / 97,
    )
    journaled = _Journaled(empty(scratch / "soak") / "experiment.db", soak)
    world.events = journaled
    world.workers.deleted = _Forgetful()
    world.run(created([{} for _ in range(trials)], metric="height"))
    journaled.close()
    if not world.experiment.finished:
        soak.problems.append("it did not come to its end")
    soak.judge()
    return soak


def soak_in_processes(
    scratch: Path, *, seed: int, trials: int = 200, iterations: int = 50, deadline_s: float = 900.0
) -> Iterator[Soak]:
    """Run a large population in processes and kill its workers; yield it at each kill, and at the end."""
    climb = Climb(
        synch=False,
        trials=trials,
        iterations=iterations,
        interval=10,
        save_every=5,
        slots=2,
        max_residents=6,
        max_failures=-1,
        seed=seed,
    )
    soak, mark = Soak(f"{trials} trials x {iterations}, in processes"), uuid.uuid4().hex
    storage = empty(scratch / "soak")
    chance, began = random.Random(seed), time.monotonic()
    program = start(storage, climb, mark, step_s=_STEP_S)
    next_kill_s = began + 2.0
    try:
        while program.poll() is None and time.monotonic() < began + deadline_s:
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.wait(_SAMPLE_EVERY_S)
            if not soak.sample(program.pid) or time.monotonic() < next_kill_s:
                continue
            next_kill_s += _KILL_EVERY_S
            if workers := Family.of(program.pid).workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(chance.choice(workers), signal.SIGKILL)
                    soak.kills += 1
                    yield soak
    finally:
        program.kill()
        program.wait()
    if program.returncode != 0:
        soak.problems.append(f"the program ended with {program.returncode}: {output_of(storage)[-2000:]}")
        go_on(climb, storage)
    if left := left_after(mark, 5.0):
        soak.problems.append(f"processes {left} were left behind")
    soak.problems += problems(storage / "run", climb)
    soak.judge()
    yield soak
