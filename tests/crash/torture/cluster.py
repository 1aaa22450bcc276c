"""Kills actors and nodes of a cluster of three, at random moments of one run, which ends all the same."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torture.climbing import Climb
from torture.crashing import compare, empty, whole_of
from torture.kills import Survivor
from torture.outcome import records
from torture.processes import left_after
from torture.victim import output_of, start

_KINDS = {"actor": 4, "node": 1}
"""What is killed, and how often in comparison."""
_LONGEST_S = 1.5
"""How long nobody is killed, at the most."""
_STEP_S = 0.02
_GONE_AFTER_S = 20.0
_DEADLINE_S = 600.0
_ITERATIONS_PER_KILL = 140
_NODE = {"num_cpus": 1, "object_store_memory": 100_000_000, "include_dashboard": False}
_NOTICES_SOON = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 3,
}


class Nodes:
    """A cluster of three nodes on this machine; the head, which the program is connected to, lives on."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(
            initialize_head=True, head_node_args={**_NODE, "_system_config": _NOTICES_SOON}
        )
        for _ in range(2):
            self._cluster.add_node(**_NODE)
        self.address: str = self._cluster.address

    def kill_one(self, chance: random.Random) -> None:
        """Kill a node with all that is on it, and have a fresh one join."""
        victim = chance.choice(sorted(self._cluster.worker_nodes, key=lambda node: node.node_id))
        self._cluster.remove_node(victim, allow_graceful=False)
        self._cluster.add_node(**_NODE)

    def actors(self) -> list[int]:
        """Return the processes of actors that are at work, on whatever node."""
        return [pid for pid in _descendants(os.getpid()) if _is_actor(pid)]

    def close(self) -> None:
        self._cluster.shutdown()


def kill_on_a_cluster(scratch: Path, *, kills: int, seed: int) -> Iterator[str | Survivor]:
    """Run a population on the cluster; yield each kill, then what became of it."""
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=uuid.uuid4().hex)
    climb = Climb(
        synch=True,
        trials=6,
        iterations=_ITERATIONS_PER_KILL * max(kills, 4),
        interval=10,
        save_every=5,
        num_to_keep=2,
        slots=3,
        seed=seed,
        max_failures=-1,
    )
    survivor = Survivor(climb)
    whole = whole_of(climb, scratch)
    nodes = Nodes()
    try:
        yield from _torment(climb, empty(scratch / "killed"), nodes, survivor, kills=kills, seed=seed)
    finally:
        nodes.close()
    if not survivor.problems:
        survivor.problems += compare(climb, scratch / "killed", whole, [])
    yield survivor


def _torment(
    climb: Climb, storage: Path, nodes: Nodes, survivor: Survivor, *, kills: int, seed: int
) -> Iterator[str]:
    chance, mark = random.Random(seed), uuid.uuid4().hex
    program = start(storage, climb, mark, step_s=_STEP_S, address=nodes.address)
    try:
        while survivor.kills.total() < kills and not _ends(program, chance.uniform(0.3, _LONGEST_S)):
            kind = chance.choices(list(_KINDS), list(_KINDS.values()))[0]
            before = records(storage / "run")
            if not before or not _kill(nodes, kind, chance):
                continue
            survivor.kills[kind] += 1
            yield kind
            if records(storage / "run")[: len(before)] != before:
                survivor.problems.append("a journal has lost what it had")
        program.wait(_DEADLINE_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        program.wait()
    if program.returncode != 0:
        survivor.problems.append(f"the program ended with {program.returncode}: {output_of(storage)[-3000:]}")
    if survivor.kills.total() < kills:
        survivor.problems.append(f"it ended after {survivor.kills.total()} kills already")
    if left := left_after(mark, _GONE_AFTER_S):
        survivor.problems.append(f"processes {left} were left behind")


def _ends(program: subprocess.Popen[Any], within_s: float) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        program.wait(within_s)
    return program.poll() is not None


def _kill(nodes: Nodes, kind: str, chance: random.Random) -> bool:
    if kind == "node":
        nodes.kill_one(chance)
        return True
    actors = nodes.actors()
    if not actors:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(chance.choice(actors), signal.SIGKILL)
        return True
    return False


def _descendants(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text().split()):
                yield child
                yield from _descendants(child)


def _is_actor(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"ray::PoptuneWorker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False
