"""The machine that decides, alone."""

from benchmark import Benchmark, Figure, Program, at_least, at_most, at_most_times

SMALL = Program(
    name="core-1000",
    script="core",
    arguments=("--trials", "1000", "--times", "20"),
    quick=("--trials", "200"),
)
MIDDLE = Program(
    name="core-10000",
    script="core",
    arguments=("--trials", "10000", "--times", "2"),
    quick=("--trials", "500"),
)
LARGE = Program(
    name="core-100000", script="core", arguments=("--trials", "100000"), quick=("--trials", "2000")
)

BENCHMARKS = (
    Benchmark(
        name="core",
        title="Core alone",
        method=(
            "The state machine with asynchronous PBT and simulated workers: 1,000, 10,000 and 100,000 "
            "trials of 11 iterations take turns on 8 slots, with a checkpoint and a milestone every 5. "
            "Only the calls of `handle` are timed; an event is one report. A decision is a call that led "
            "to one. Of 1,000 trials 20 experiments are run, of 10,000 two."
        ),
        programs=(SMALL, MIDDLE, LARGE),
        limits=(
            at_least(Figure(SMALL, "per_s", "events/s"), 50_000, what="1,000 trials"),
            at_least(Figure(LARGE, "per_s", "events/s"), 50_000, what="100,000 trials"),
            at_most_times(
                Figure(LARGE, "event_s"),
                Figure(SMALL, "event_s"),
                times=2,
                whom="an event at 1,000",
                what="an event at 100,000",
            ),
            at_most(Figure(MIDDLE, "decision_p99_s"), 1e-3, what="decision at 10,000, 99 %"),
        ),
        stated=(
            ("decision at 10,000, median", Figure(MIDDLE, "decision_p50_s")),
            ("decision at 10,000, longest", Figure(MIDDLE, "decision_max_s")),
            ("decision at 100,000, median", Figure(LARGE, "decision_p50_s")),
            ("decision at 100,000, 99 %", Figure(LARGE, "decision_p99_s")),
        ),
    ),
)
