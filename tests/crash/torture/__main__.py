"""Torture poptune, and say what was lost.

make torture
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from poptune.errors import PoptuneWarning
from torture.climbing import Climb
from torture.cluster import kill_on_a_cluster
from torture.crashing import crash_everywhere, crash_twice_everywhere
from torture.damage import damage_before_resumes, damage_before_starts
from torture.faults import fault_everywhere, fill_up
from torture.kills import Survivor, kill_at_random
from torture.mounting import small_disk
from torture.simulated import Simulation, die_everywhere, die_twice_everywhere
from torture.soak import soak_in_processes, soak_in_the_simulator
from torture.tried import Tried

_MOST_SHOWN = 5


@dataclass
class Part:
    """One kind of torture."""

    name: str
    what: str
    """What is counted."""
    tries: Callable[[argparse.Namespace], Iterator[Tried]]
    tried: int = 0
    wrong: list[Tried] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    """What there is to say in the end beside numbers."""


def simulated_crashes(options: argparse.Namespace) -> Iterator[Tried]:
    for synch in (True, False):
        for save_every in (1, 2, 3):
            yield from die_everywhere(Simulation(synch=synch, save_every=save_every))
        yield from die_everywhere(Simulation(synch=synch, trials=8, iterations=24, residents=4, slots=3))
        yield from die_twice_everywhere(Simulation(synch=synch, trials=2, iterations=6))


def crashes(options: argparse.Namespace) -> Iterator[Tried]:
    for synch in (True, False):
        yield from crash_everywhere(Climb(synch=synch), options.scratch)
        large = Climb(
            synch=synch, trials=4, iterations=16, interval=4, save_every=3, slots=2, max_residents=3
        )
        yield from crash_everywhere(large, options.scratch)


def double_crashes(options: argparse.Namespace) -> Iterator[Tried]:
    for synch in (True, False):
        climb = Climb(synch=synch, trials=2, iterations=4)
        yield from crash_twice_everywhere(climb, options.scratch, every=3)


def kills(options: argparse.Namespace) -> Iterator[Tried]:
    for happened in kill_at_random(options.scratch, kills=options.kills, seed=options.seed):
        if not isinstance(happened, Survivor):
            yield Tried(happened, [], options.kills)
        elif happened.problems:
            yield Tried(f"a run after {dict(happened.kills)}", happened.problems, options.kills)


def cluster(options: argparse.Namespace) -> Iterator[Tried]:
    for happened in kill_on_a_cluster(options.scratch, kills=options.cluster_kills, seed=options.seed):
        if not isinstance(happened, Survivor):
            yield Tried(happened, [], options.cluster_kills)
        elif happened.problems:
            yield Tried(f"a run after {dict(happened.kills)}", happened.problems, options.cluster_kills)


def faults(options: argparse.Namespace) -> Iterator[Tried]:
    climb = Climb(synch=True, iterations=6, max_failures=2)
    yield from fault_everywhere(climb, options.scratch)
    for error in ("ENOSPC", "EACCES"):
        yield from fault_everywhere(climb, options.scratch, errors=[error], lasts=True)
    with small_disk(options.scratch / "small") as disk:
        if disk is not None:
            yield from fill_up(Climb(synch=False, max_failures=2), disk, rooms_kb=range(0, 400, 8))


def damage(options: argparse.Namespace) -> Iterator[Tried]:
    for synch in (True, False):
        for num_to_keep in (1, 3):
            climb = Climb(synch=synch, num_to_keep=num_to_keep, slots=2)
            yield from damage_before_resumes(climb, options.scratch, every=9)
            yield from damage_before_starts(climb, options.scratch)


def soaks(options: argparse.Namespace) -> Iterator[Tried]:
    simulated = soak_in_the_simulator(options.scratch)
    yield Tried(str(simulated), simulated.problems, 2)
    real = None
    for real in soak_in_processes(options.scratch, seed=options.seed):  # noqa: B007 - the last one counts
        pass
    yield Tried(str(real), real.problems if real else ["it did not begin"], 2)


PARTS = [
    Part("simulated", "crashes in the simulator", simulated_crashes),
    Part("crashes", "crash points", crashes),
    Part("double", "crashes of a resumed run", double_crashes),
    Part("kills", "processes killed", kills),
    Part("cluster", "actors and nodes killed", cluster),
    Part("faults", "faults of the disk", faults),
    Part("damage", "checkpoints damaged", damage),
    Part("soak", "soaks", soaks),
]


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    names = [part.name for part in PARTS]
    parser = argparse.ArgumentParser(prog="torture", description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=names, metavar="PART", help=f"of {', '.join(names)}")
    parser.add_argument("--kills", type=int, default=200, help="how many processes are killed")
    parser.add_argument("--cluster-kills", type=int, default=25, help="how many of these on the cluster")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the kills")
    parser.add_argument("--scratch", type=Path, help="a folder for what the runs write")
    return parser.parse_args(arguments)


def torture(parts: list[Part], options: argparse.Namespace, console: Console) -> None:
    """Do it all, and show how far it is."""
    columns = TextColumn("{task.description:>24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress:
        for part in parts:
            task = progress.add_task(part.what, total=None)
            for tried in part.tries(options):
                part.tried += 1
                if tried.problems:
                    part.wrong.append(tried)
                    if len(part.wrong) <= _MOST_SHOWN:
                        console.print(
                            f"{part.what}: {tried.where}: {tried.problems}", markup=False, style="red"
                        )
                if part.name == "soak":
                    part.words.append(tried.where)
                progress.update(task, completed=part.tried, total=max(part.tried, tried.of))
            progress.update(task, completed=part.tried, total=part.tried)


def show(parts: list[Part], console: Console) -> None:
    """Say what was done and what went wrong."""
    table = Table("tried", "", "gone wrong", box=None)
    for part in parts:
        table.add_row(str(part.tried), part.what, str(len(part.wrong) or "none"))
    console.print(table)
    for part in parts:
        for words in part.words:
            console.print(words, highlight=False)


def main(arguments: list[str] | None = None, all_parts: Sequence[Part] = PARTS) -> int:
    options = parse(arguments)
    console = Console()
    parts = [part for part in all_parts if not options.only or part.name in options.only]
    console.print(f"The seed of the kills is {options.seed}", highlight=False)
    made = None if options.scratch else tempfile.mkdtemp(prefix="poptune-torture-")
    options.scratch = options.scratch or Path(str(made))
    options.scratch.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore", PoptuneWarning)  # of runs that save too rarely, on purpose
    try:
        torture(parts, options, console)
    finally:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)
    show(parts, console)
    return int(any(part.wrong for part in parts))


if __name__ == "__main__":
    sys.exit(main())
