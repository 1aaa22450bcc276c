"""A report that nobody waits for: what it costs its trial, and how many the controller takes in."""

from benchmark import Benchmark, Figure, Program, at_least, at_most

LATENCY = Program(name="report-latency", script="report_latency", quick=("--paced", "500", "--tight", "5000"))
BARE = Program(name="intake-bare", script="report_intake", quick=("--reports", "5000"))
LOGGED = Program(
    name="intake-logged",
    script="report_intake",
    arguments=("--reports", "50000", "--loggers", "csv", "json"),
    quick=("--reports", "2000", "--loggers", "csv", "json"),
)

PHASES = (("paced", "0.5 ms of work between"), ("burst", "tight loop"))


def latency(phase: str, key: str) -> Figure:
    return Figure(LATENCY, f"{phase}_{key}_s")


BENCHMARKS = (
    Benchmark(
        name="report",
        title="One `report()` between milestones, in the worker",
        method=(
            "Each call of `report()` with three metrics is timed in the training code of a worker process "
            "that no milestone or stop is near to. With work: 0.5 ms of it before each of 10,000 calls. "
            "Tight loop: 10,000 calls in bursts of 500, after each of which the controller catches up. "
            "Buffer full: 300,000 calls without a pause, so that the controller is behind, and a call "
            "waits for it."
        ),
        programs=(LATENCY,),
        limits=tuple(
            limit
            for phase, what in PHASES
            for limit in (
                at_most(latency(phase, "p50"), 5e-6, what=f"{what}, median"),
                at_most(latency(phase, "p99"), 50e-6, what=f"{what}, 99 %"),
            )
        ),
        stated=(
            *((f"{what}, 99.9 %", latency(phase, "p999")) for phase, what in PHASES),
            ("buffer full, mean", latency("full", "mean")),
            ("buffer full, median", latency("full", "p50")),
            ("buffer full, 99 %", latency("full", "p99")),
            ("buffer full, 99.9 %", latency("full", "p999")),
            ("buffer full, longest", latency("full", "max")),
        ),
    ),
    Benchmark(
        name="intake",
        title="Reports that one controller takes in",
        method=(
            "Two workers report three metrics as fast as they can. Timed is from the beginning of the first "
            "worker's loop to the last record of the journal. Afterwards the journal is read, and must hold "
            "every result once and in order, or the program fails."
        ),
        programs=(BARE, LOGGED),
        limits=(
            at_least(Figure(BARE, "per_s", "/s"), 100_000, what="loggers off"),
            at_least(Figure(LOGGED, "per_s", "/s"), 20_000, what="CSV and JSON"),
        ),
    ),
)
