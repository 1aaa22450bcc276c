"""Simulate populations on large clusters, and bring the figures in docs/scaling.md up to date.

make scaling
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from scenarios import SWEEPS
from tables import table, update_page

from poptune._core.experiment import Experiment
from poptune._core.retention import Retention
from poptune._core.retries import Retries
from poptune._core.settings import Settings
from poptune.schedulers import PopulationBasedTraining
from poptune.search_space import loguniform
from poptune.testing.simulation import Cluster, created

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
PAGE = HERE.parents[1] / "docs" / "scaling.md"


class Timed(Experiment):
    """The machine, and how long it takes for each input."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.times_ns = []

    def handle(self, event):
        began_ns = time.perf_counter_ns()
        step = super().handle(event)
        self.times_ns.append(time.perf_counter_ns() - began_ns)
        return step


def score(_trial, iteration, config):
    """Some learning rates learn faster than others."""
    return iteration * (1 - abs(config["lr"] - 0.1))


def simulate(scenario):
    """Run one, and return what there is to say of it."""
    spec = scenario.spec
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration",
        metric="score",
        mode="max",
        perturbation_interval=spec.save_every,
        hyperparam_mutations={"lr": loguniform(1e-4, 1)},
    )
    settings = Settings(slots=spec.slots, retries=Retries(per_trial=-1), retention=Retention(num_to_keep=2))
    cluster = Cluster(spec, machine := Timed(scheduler, settings), score)
    configs = [{"lr": 10 ** (-4 * (number * 0.618 % 1))} for number in range(spec.slots)]
    simulated_s = scenario.hours * 3600
    accounts = cluster.run(created(configs), simulated_s)
    answers_s, times_ns = sorted(accounts.answers_s), sorted(machine.times_ns)
    return {
        "name": scenario.name,
        "spec": asdict(spec),
        "hours": scenario.hours,
        "shares": accounts.shares(),
        "happened": dict(accounts.happened),
        "sent_bytes_per_s": {road: sent / simulated_s for road, sent in accounts.sent_bytes.items()},
        "transfers": dict(accounts.transfers),
        "controller_load": accounts.controller_busy_s / simulated_s,
        "storage_load": cluster.storage_busy_s / simulated_s,
        "answer_p50_s": at(answers_s, 0.5),
        "answer_p99_s": at(answers_s, 0.99),
        "machine_mean_s": sum(times_ns) / len(times_ns) / 1e9,
        "machine_p99_s": at(times_ns, 0.99) / 1e9,
    }


def at(ordered, share):
    return ordered[int(share * (len(ordered) - 1))] if ordered else 0.0


def parse():
    numbers = range(len(SWEEPS))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only",
        nargs="+",
        type=int,
        choices=numbers,
        default=numbers,
        metavar="NUMBER",
        help="of tables; the others stay",
    )
    return parser.parse_args()


def main():
    chosen = parse().only
    console = Console(width=None if sys.stdout.isatty() else 150)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else [{} for _ in SWEEPS]
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=sum(len(SWEEPS[number].scenarios) for number in chosen))
        for number in chosen:
            sweep, rows = SWEEPS[number], []
            for scenario in sweep.scenarios:
                progress.update(task, description=f"{sweep.title}: {scenario.name}")
                rows.append(simulate(scenario))
                progress.advance(task)
            results[number] = {"title": sweep.title, "rows": rows}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    for sweep in results:
        console.print(table(sweep), highlight=False, markup=False)
    update_page(PAGE, results)
    console.print(f"brought up to date: {PAGE.relative_to(HERE.parents[1])}")


if __name__ == "__main__":
    main()
