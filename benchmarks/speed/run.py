"""Measure what poptune costs, hold it against its limits, and write docs/benchmarks.md.

make bench
"""

import argparse
import sys
from pathlib import Path

from lines import BENCHMARKS
from machine import circumstances
from measuring import Conditions, measure, programs_of, turns
from report import page, result_of, table, write_results
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "benchmarks.md"
NAMES = [benchmark.name for benchmark in BENCHMARKS]
OTHERS = ("ray", "syne-tune")
WIDTH = 160


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="how often each program is run")
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, no Ray, one run, nothing kept")
    parser.add_argument("--without", nargs="+", default=(), choices=OTHERS, help="leave these out")
    parser.add_argument("--storage", type=Path, help="a folder for what the programs write")
    parser.add_argument("--results", type=Path, help="where results are kept")
    parser.add_argument("--page", type=Path, help="the page that is written from them")
    options = parser.parse_args(arguments)
    if options.runs < 1:
        parser.error(f"--runs must be at least 1, got {options.runs}")
    if options.quick:
        options.runs = 1
    else:
        options.results = options.results or HERE / "results"
        options.page = options.page or PAGE
    return options


def measure_all(benchmarks, options, console):
    programs = programs_of(benchmarks)
    conditions = Conditions(
        runs=options.runs,
        quick=options.quick,
        without=frozenset(options.without),
        storage=options.storage,
    )
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=sum(1 for _ in turns(programs, options.runs)))
        done = iter(range(sys.maxsize))

        def announce(program):
            progress.update(task, description=program.name, completed=next(done))

        measurements = measure(programs, conditions, announce)
        progress.update(task, description="measured", completed=next(done))
    return measurements


def main(arguments=None):
    options = parse(arguments)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    benchmarks = [benchmark for benchmark in BENCHMARKS if benchmark.name in (options.only or NAMES)]
    around = circumstances()
    measurements = measure_all(benchmarks, options, console)
    results = [result_of(benchmark, measurements, around, options.runs) for benchmark in benchmarks]
    caption = "A quick run: sizes are cut, so that the limits do not apply" if options.quick else ""
    console.print(table(results, caption=caption))
    for name, reason in measurements.missing.items():
        console.print(f"not measured: {name} ({reason})", highlight=False, markup=False)
    for error in measurements.failed.values():
        console.print(error, style="red", highlight=False, markup=False)
    if options.results is not None:
        held = write_results(options.results, results, NAMES)
        if options.page is not None:
            options.page.write_text(page(held), encoding="utf-8")
    return 1 if measurements.failed else 0


if __name__ == "__main__":
    sys.exit(main())
