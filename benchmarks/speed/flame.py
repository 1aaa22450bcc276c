"""Say where the tutorial's time goes, in docs/where_the_time_goes.md.

make flame                          # the page
make flame ARGS="--picture t.svg"   # a flame graph, to look into it
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from machine import machine, now, versions
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs" / "where_the_time_goes.md"
PLAIN, OURS = "convnet_plain", "convnet_steps"
RUNS = 5
CORES = 2
SAMPLES_PER_S = 100

TRAINING = "training and testing"
WAITING = "nothing: the cores are idle"
ELSE = "starting and ending processes"
ROOMS = {
    "imports": ("(<frozen importlib", "(importlib/", "<module> ("),
    "reading the data, and sharing it": ("(poptune/datasets/", "(poptune/_training/shared.py"),
    TRAINING: ("(convnet.py",),
    "saving and loading states": (
        "(poptune/_keeping/checkpoints/",
        "(poptune/_training/live_state.py",
        "(poptune/integrations/",
    ),
    "deciding": ("(poptune/_core/", "(poptune/schedulers/", "(poptune/search_space/"),
    "storing what the experiment is, in `objects.pkl`": ("(poptune/_keeping/journal/objects.py",),
    "journal, logs and results": ("(poptune/_keeping/journal/", "(poptune/loggers/", "(poptune/results/"),
    "reports and orders": (
        "(poptune/_training/",
        "(poptune/_running/executors/",
        "(poptune/_running/controller/",
    ),
}
"""What a sample counts as: where in this list the innermost of its frames that is in it at all is."""
TOLD_LAST = (ELSE, WAITING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One run of a program: how long it took, and how long its processes were on a core, by what they did."""

    whole_s: float
    on_core_s: dict[str, float]

    def spent_s(self, room: str) -> float:
        if room == WAITING:
            return CORES * self.whole_s - sum(self.on_core_s.values())
        return self.on_core_s.get(room, 0.0)


def room_of(frames: Sequence[str]) -> str:
    """Return what a sample counts as; its outermost frame comes first."""
    for frame in reversed(frames):
        for room, signs in ROOMS.items():
            if any(sign in frame for sign in signs) and not _is_program(frame):
                return room
    return ELSE


def _is_program(frame: str) -> bool:
    """Whether this is the body of the program itself, which imports nothing by being there."""
    return re.match(r"<module> \((<string>|convnet_\w+\.py)", frame) is not None


def profile(script: str) -> Profile:
    with tempfile.TemporaryDirectory(prefix="poptune-flame-") as folder:
        output = Path(folder, "stacks.txt")
        whole_s = spy_on(script, form="raw", output=output)
        return Profile(whole_s=whole_s, on_core_s=counted(output.read_text(encoding="utf-8")))


def spy_on(script: str, *, form: str, output: Path) -> float:
    """Run a program under py-spy; return how long it took."""
    with tempfile.TemporaryDirectory(prefix="poptune-flame-") as storage:
        spy = [str(Path(sys.executable).with_name("py-spy")), "record", "--subprocesses", "--nonblocking"]
        spy += ["--format", form, "--rate", str(SAMPLES_PER_S), "--output", str(output), "--"]
        program = [sys.executable, str(HERE / "programs" / f"{script}.py"), "--storage", f"{storage}/run"]
        began_s = time.monotonic()
        subprocess.run([*spy, *program], check=True, capture_output=True)
        return time.monotonic() - began_s


def counted(stacks: str) -> dict[str, float]:
    """Return the seconds in each room, from stacks with how often each was seen."""
    samples: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [frame for frame in stack.split(";") if not frame.startswith("process ")]
        samples[room_of(frames)] += int(count)
    return {room: number / SAMPLES_PER_S for room, number in samples.items()}


def page(plain: Sequence[Profile], ours: Sequence[Profile]) -> str:
    whole = [median(one.whole_s for one in profiles) for profiles in (plain, ours)]
    rooms = sorted([*ROOMS, *TOLD_LAST], key=lambda room: (room in TOLD_LAST, -_median(ours, room)))
    rows = [
        f"| {room} | {_median(plain, room):.2f} | {_median(ours, room):.2f} |"
        for room in rooms
        if _median(plain, room) >= 0.005 or _median(ours, room) >= 0.005
    ]
    on = machine()
    numbers = versions()
    return f"""\
# Where the time goes

The tutorial's ConvNet in the steps form (`{OURS}.py` in `benchmarks/speed/programs`: four trials of
50 iterations on two slots, imports included) beside the same training in two plain processes
(`{PLAIN}.py`). All processes are looked at {SAMPLES_PER_S} times a second by py-spy; a sample counts as
what the innermost of its frames is for that this list knows. Medians of {len(ours)} runs in alternation;
{CORES} cores have {CORES} seconds in each second. This page is written by `make flame`;
`make flame ARGS="--picture tutorial.svg"` draws a flame graph of one run, to look further.

| seconds of a core for | plain loop | poptune |
|---|---|---|
{chr(10).join(rows)}
| **from start to end, by the clock** | **{whole[0]:.2f}** | **{whole[1]:.2f}** |

- py-spy itself takes a part of the two cores, and of the clock; the times without it are in
  [benchmarks](benchmarks.md).
- An exploit sends a trial back to its donor's iteration, so poptune trains some iterations more than the
  200 of the plain loop.
- The workers are forked from a process that imports torch beside the program (`tune.preload("torch")`), with
  the part of it that in the plain loop each process imports when it makes its first optimizer.

Measured on {on["cores"]} cores of {on["cpu"]}, {on["platform"]}, {on["python"]}, torch {numbers["torch"]},
{now()}.
"""


def _median(profiles: Sequence[Profile], room: str) -> float:
    return median(one.spent_s(room) for one in profiles)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--picture", type=Path, help="only draw a flame graph of one run, as SVG, into this file"
    )
    options = parser.parse_args()
    if options.picture is not None:
        spy_on(OURS, form="flamegraph", output=options.picture)
        return
    profiles: dict[str, list[Profile]] = {PLAIN: [], OURS: []}
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=RUNS * len(profiles))
        for _ in range(RUNS):
            for script, found in profiles.items():
                progress.update(task, description=script)
                found.append(profile(script))
                progress.advance(task)
    PAGE.write_text(page(profiles[PLAIN], profiles[OURS]), encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
