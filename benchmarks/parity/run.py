"""Run ``program.py`` with Ray and with ``poptune.compat.ray``, and write how they compare.

    make parity                  # all of it, and write docs/ray_parity.md
    make parity ARGS="stops"     # only these cases, and print what differs

A row that differs must be explained in ``differences.py``, or the run fails.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from differences import DIFFERENCES
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

HERE = Path(__file__).parent
PROGRAM = ("program.py", "fitting.py", "training.py", "outcomes.py", "habits.py")
PAGE = HERE.parents[1] / "docs" / "ray_parity.md"
RAY = "Ray Tune 2.60.0"
LONGEST = 160

INTRODUCTION = """\
# Parity with Ray Tune

The same program (`benchmarks/parity/program.py` and the modules beside it), written for Ray, was run with
{ray} and, with only its imports changed, with `poptune.compat.ray`. Its scores come from tables, so
that nothing but the library decides who copies whom. Of {total} observations {equal} are equal and
{different} differ, each for a reason. `make parity` runs it again and writes this page; a difference
without a reason fails it.
"""


def migrated(script):
    script = re.sub(r"^import ray$", "import poptune.compat.ray as ray", script, flags=re.MULTILINE)
    return re.sub(r"^from ray\b", "from poptune.compat.ray", script, flags=re.MULTILINE)


def lay_out(folder, change):
    """Write the program and its modules into a folder of their own."""
    folder.mkdir()
    for name in PROGRAM:
        (folder / name).write_text(change((HERE / name).read_text()))


def observe(folder, cases, tell):
    """Run a program and return what it saw; ``tell`` is called with each line that it prints."""
    seen = folder / "seen.json"
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, folder / "program.py", seen, *cases]
    with (
        (folder / "errors.txt").open("w+") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment, cwd=folder
        ) as run,
    ):
        for line in run.stdout:
            tell(line)
        if run.wait():
            errors.seek(0)
            sys.exit(f"{folder} failed:\n{errors.read()[-4000:]}")
    return json.loads(seen.read_text())


def observe_both(cases):
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns) as progress, tempfile.TemporaryDirectory(prefix="parity-") as folder:
        observed = []
        for name, change in (("poptune", migrated), ("ray", str)):
            own = Path(folder) / f"with_{name}"
            lay_out(own, change)
            task = progress.add_task(f"with {name}", total=None)

            def tell(line, task=task):
                if line.startswith("cases "):
                    progress.update(task, total=int(line.split()[1]))
                elif line.startswith("case "):
                    progress.advance(task)

            observed.append(observe(own, cases, tell))
        return observed


def shown(value):
    text = json.dumps(value)
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
    return f"`{text.replace('|', chr(92) + '|')}`"


def apart(value, other):
    """Return a value as it is shown beside another: of a long one what the other lacks."""
    if len(json.dumps(value)) <= LONGEST:
        return shown(value)
    if isinstance(value, dict):
        own = {key: part for key, part in value.items() if other.get(key) != part}
    else:
        own = [part for part in value if part not in other]
    return f"what both have, and {shown(own)}" if own else "what both have"


def page(ours, rays):
    different = [row for row in rays if ours[row] != rays[row]]
    counts = {"total": len(rays), "equal": len(rays) - len(different), "different": len(different)}
    lines = [INTRODUCTION.format(ray=RAY, **counts)]
    lines += [
        "## What differs, and why\n",
        f"| observation | {RAY} | poptune | reason |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {row} | {apart(rays[row], ours[row])} | {apart(ours[row], rays[row])} | {DIFFERENCES[row]} |"
        for row in different
    ]
    lines += ["\n## What is equal\n", "| observation | both |", "|---|---|"]
    lines += [f"| {row} | {shown(rays[row])} |" for row in rays if row not in different]
    return "\n".join(lines) + "\n"


def main():
    cases = sys.argv[1:]
    ours, rays = observe_both(cases)
    if ours.keys() != rays.keys():
        sys.exit(f"Observed by one library only: {sorted(ours.keys() ^ rays.keys())}")
    different = {row for row in rays if ours[row] != rays[row]}
    for row in sorted(DIFFERENCES.keys() - different) if not cases else ():
        print(f"explained, but equal this time: {row}")
    if unexplained := sorted(different - DIFFERENCES.keys()):
        for row in unexplained:
            print(f"unexplained: {row}\n    Ray:     {rays[row]}\n    poptune: {ours[row]}")
        sys.exit(1)
    if not cases:
        PAGE.write_text(page(ours, rays), encoding="utf-8")
    print(f"{len(rays)} observations, {len(different)} explained differences: {PAGE}")


if __name__ == "__main__":
    main()
