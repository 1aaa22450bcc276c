"""Memory of a worker, and of the controller over a long run."""

from benchmark import Benchmark, Figure, Program, at_most

WORKER = Program(name="worker-memory", script="worker_memory", needs=("torch",))
OPTIMIZING = Program(
    name="optimizing-worker-memory",
    script="worker_memory",
    arguments=("--makes-optimizer",),
    quick=("--makes-optimizer",),
    needs=("torch",),
)
CONTROLLER = Program(
    name="controller-memory",
    script="controller_memory",
    quick=("--trials", "50", "--iterations", "200"),
    once=True,
)

BENCHMARKS = (
    Benchmark(
        name="worker-memory",
        title="Memory of one worker, torch imported",
        method=(
            "Four workers; each is looked at from the controlling process while it waits inside "
            "`report()`, and the largest counts: the pages that it has for itself, beyond those that it "
            "shares with the process that it was forked from. Stated beside it is its proportional share "
            "(PSS), which has its part of the shared pages, too, and so depends on how many share them."
        ),
        programs=(WORKER, OPTIMIZING),
        limits=(at_most(Figure(WORKER, "private_mb", "MB"), 40, what="pages of its own"),),
        stated=(
            ("PSS", Figure(WORKER, "pss_mb", "MB")),
            ("PSS of the process that it was forked from", Figure(WORKER, "server_pss_mb", "MB")),
            ("pages of its own where it has made an optimizer", Figure(OPTIMIZING, "private_mb", "MB")),
            ("PSS there", Figure(OPTIMIZING, "pss_mb", "MB")),
        ),
    ),
    Benchmark(
        name="controller-memory",
        title="Memory of the controller, 1,000 trials of 1,000 results",
        method=(
            "`Tuner.fit()` with its controller, journal, loggers and asynchronous PBT (a milestone every "
            "100), but with an executor whose 8 slots train nothing and report at once. The growth is from "
            "just before `fit()` to the highest resident size while trials report. One run."
        ),
        programs=(CONTROLLER,),
        limits=(at_most(Figure(CONTROLLER, "growth_mb", "MB"), 200, what="growth"),),
        stated=(
            ("before", Figure(CONTROLLER, "before_mb", "MB")),
            ("after `fit()`, with its results", Figure(CONTROLLER, "with_results_mb", "MB")),
            ("time of `fit()`", Figure(CONTROLLER, "fit_s")),
        ),
    ),
)
