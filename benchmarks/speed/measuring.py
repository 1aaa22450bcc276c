"""Runs programs in alternation, so that a drift of the machine meets all of them alike."""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmark import Benchmark, Medians, Program
from machine import installed
from spread import Spread

PROGRAMS = Path(__file__).parent / "programs"
LONGEST_S = 1800
TOLD = 3000
"""How many characters of a failed program's errors are kept."""


@dataclass(slots=True)
class Measurements:
    """All that was measured in a run: each program's figures, one dict a run, or why there are none."""

    figures: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def spreads(self) -> dict[tuple[str, str], Spread]:
        return {
            (program, key): Spread.of(run[key] for run in runs if key in run)
            for program, runs in self.figures.items()
            for key in dict.fromkeys(key for run in runs for key in run)
        }

    def medians(self) -> Medians:
        return {path: spread.median for path, spread in self.spreads().items()}


class ProgramError(RuntimeError):
    pass


class UnavailableError(RuntimeError):
    pass


def programs_of(benchmarks: Sequence[Benchmark]) -> list[Program]:
    """Return each program once, in the order of the benchmarks."""
    programs: dict[str, Program] = {}
    for program in (program for benchmark in benchmarks for program in benchmark.programs):
        if programs.setdefault(program.name, program) != program:
            raise ValueError(f"Two different programs are called {program.name!r}")
    return list(programs.values())


def turns(programs: Sequence[Program], runs: int) -> Iterator[Program]:
    """Yield the programs in alternation: A B C A B C."""
    for number in range(runs):
        yield from (program for program in programs if number == 0 or not program.once)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """How programs are run.

    Args:
        runs: How often each.
        quick: Whether sizes are cut.
        without: Distributions whose programs are left out.
        storage: The folder in which they write; by default the system's for temporary files.
    """

    runs: int = 1
    quick: bool = False
    without: frozenset[str] = frozenset()
    storage: Path | None = None


def measure(
    programs: Sequence[Program], conditions: Conditions, announce: Callable[[Program], None]
) -> Measurements:
    measurements = Measurements()
    for program in turns(programs, conditions.runs):
        announce(program)
        if program.name in measurements.missing or program.name in measurements.failed:
            continue
        try:
            figures = run_once(program, conditions)
        except UnavailableError as reason:
            measurements.missing[program.name] = str(reason)
        except ProgramError as error:
            measurements.failed[program.name] = str(error)
        else:
            measurements.figures.setdefault(program.name, []).append(figures)
    return measurements


def run_once(program: Program, conditions: Conditions) -> dict[str, float]:
    """Run a program and return its figures.

    Raises:
        UnavailableError: It cannot run here, or is left out.
        ProgramError: It did not come to its end.
    """
    if conditions.quick and not program.is_quick:
        raise UnavailableError("left out of a quick run")
    if left_out := conditions.without.intersection(program.needs):
        raise UnavailableError(f"run without {', '.join(sorted(left_out))}")
    for distribution in program.needs:
        if installed(distribution) is None:
            raise UnavailableError(f"{distribution} is not installed")
    folder = Path(tempfile.mkdtemp(prefix="speed-", dir=conditions.storage))
    os.sync()  # or else it would wait for what the one before has left to be written
    try:
        return _run(program, program.arguments_of(quick=conditions.quick), folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(program: Program, arguments: Sequence[str], folder: Path) -> dict[str, float]:
    command = [sys.executable, str(PROGRAMS / f"{program.script}.py"), *arguments]
    command += ["--storage", str(folder / "storage")]
    with (folder / "printed").open("w+") as printed, (folder / "errors").open("w+") as errors:
        began_s, began_cpu_s = time.perf_counter(), _cpu_of_children_s()
        try:
            ended = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=errors,
                env=_environment(folder),
                cwd=folder,
                timeout=LONGEST_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ProgramError(f"{program.name} took longer than {LONGEST_S} s") from None
        whole_s, cpu_s = time.perf_counter() - began_s, _cpu_of_children_s() - began_cpu_s
        printed.seek(0)
        errors.seek(0)
        if ended.returncode:
            raise ProgramError(f"{program.name} ended with {ended.returncode}:\n{errors.read()[-TOLD:]}")
        return {**last_object(printed.read(), program), "whole_s": whole_s, "cpu_s": cpu_s}


def _cpu_of_children_s() -> float:
    """Return the processor time of the processes that have been waited for, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(PROGRAMS), os.environ.get("PYTHONPATH")])),
        "PYTHONWARNINGS": "ignore",
        "RAY_USAGE_STATS_ENABLED": "0",
        "SYNETUNE_FOLDER": str(folder / "syne"),
    }


def last_object(printed: str, program: Program) -> dict[str, float]:
    """Return the figures in the last line that a program printed; none is no error."""
    line = printed.strip().rsplit("\n", 1)[-1]
    try:
        figures = json.loads(line) if line else {}
    except ValueError:
        raise ProgramError(f"The last line of {program.name} must be its figures: {line!r}") from None
    if reason := figures.get("unavailable"):
        raise UnavailableError(reason)
    return {key: float(value) for key, value in figures.items()}
