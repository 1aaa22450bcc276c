"""Kills real processes of real runs, at random moments, until the runs come to their end all the same."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import subprocess
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torture.climbing import Climb
from torture.crashing import compare, empty, whole_of
from torture.outcome import records
from torture.processes import Family, left_after
from torture.victim import output_of, start

_KINDS = {"controller": 4, "worker": 5, "launcher": 2, "all at once": 2}
"""Who is killed, and how often in comparison."""
_LONGEST_S = 1.6
"""How long a program lives before someone of it is killed, at the most. Its first half second is imports."""
_LAUNCHER_DIED = "The process that starts the workers must live"
_STEP_S = 0.01
_GONE_AFTER_S = 5.0
_DEADLINE_S = 600.0


@dataclass
class Survivor:
    """A run that has come to its end, whoever was killed meanwhile."""

    climb: Climb
    kills: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


class Killing:
    """Runs experiments in programs of their own, and kills their processes.

    Args:
        scratch: A folder for what they write.
        seed: Who is killed, and when, follows from it, as far as time can follow from anything.
        gone_after_s: How soon after a program's end no process of it may be left.
    """

    def __init__(self, scratch: Path, seed: int, gone_after_s: float) -> None:
        self._scratch = scratch
        self._gone_after_s = gone_after_s
        self._random = random.Random(seed)

    def run(self, climb: Climb, *, kills: int) -> Iterator[str | Survivor]:
        """Run it to its end; yield whom it loses on the way, at most so many, then what became of it."""
        survivor = Survivor(climb)
        whole = whole_of(climb, self._scratch) if climb.synch else None
        storage = empty(self._scratch / "killed")
        before: list[object] = []
        while True:
            mark = uuid.uuid4().hex
            program = start(storage, climb, mark, step_s=_STEP_S)
            try:
                for kind in self._torment(program, kills - survivor.kills.total()):
                    survivor.kills[kind] += 1
                    yield kind
                program.wait(_DEADLINE_S)
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(program.pid, signal.SIGKILL)
                raise
            if left := left_after(mark, self._gone_after_s):
                survivor.problems.append(f"processes {left} were left behind")
            now = records(storage / "run")
            if now[: len(before)] != before:
                survivor.problems.append("a journal has lost what it had")
            before = now
            if program.returncode == 0:
                break
            output = output_of(storage)
            if program.returncode != -signal.SIGKILL and _LAUNCHER_DIED not in output:
                survivor.problems.append(f"the program ended with {program.returncode}: {output[-2000:]}")
                break
        if program.returncode == 0:
            survivor.problems += compare(climb, storage, whole, before)
        yield survivor

    def _torment(self, program: subprocess.Popen[Any], most: int) -> Iterator[str]:
        """Kill workers of a program, and in the end the program itself, unless it ends before."""
        while most > 0:
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.wait(self._random.uniform(0, _LONGEST_S))
                return
            kind = self._random.choices(list(_KINDS), list(_KINDS.values()))[0]
            if self._kill(program.pid, kind):
                yield kind
                most -= 1
                if kind != "worker":
                    return

    def _kill(self, controller: int, kind: str) -> bool:
        family = Family.of(controller)
        with contextlib.suppress(ProcessLookupError):
            match kind:
                case "controller":
                    os.kill(controller, signal.SIGKILL)
                case "all at once":
                    os.killpg(controller, signal.SIGKILL)
                case "worker" if family.workers:
                    os.kill(self._random.choice(family.workers), signal.SIGKILL)
                case "launcher" if family.launchers:
                    os.kill(family.launchers[0], signal.SIGKILL)
                case _:
                    return False
            return True
        return False


def kill_at_random(
    scratch: Path, *, kills: int, seed: int, gone_after_s: float = _GONE_AFTER_S
) -> Iterator[str | Survivor]:
    """Kill so many processes, of one run after another; stop at a run that went wrong.

    A run may be lucky and come to its end before anyone is killed: then it takes one run more.
    """
    killing = Killing(scratch, seed, gone_after_s)
    done = 0
    for number in itertools.count():
        climb = Climb(
            synch=number % 3 != 2,
            trials=4,
            iterations=42,
            interval=3,
            save_every=(3, 1, 2)[number % 3],
            slots=2,
            seed=seed + number,
            max_failures=-1,
        )
        for happened in killing.run(climb, kills=min(kills - done, 25)):
            done += isinstance(happened, str)
            yield happened
            if isinstance(happened, Survivor) and (happened.problems or done >= kills):
                return
