"""Empty iterations: what is left is the library's own time."""

from benchmark import Benchmark, Figure, Limit, Medians, Program, times_faster
from spread import digits, shown

LARGE = ("--state-bytes", "10000000")

OURS = Program(name="toy-poptune", script="toy_poptune")
RAYS = Program(name="toy-ray", script="toy_ray", needs=("ray",), is_quick=False)
SYNES = Program(name="toy-syne", script="toy_syne", needs=("syne-tune",))
OURS_LARGE = Program(name="toy-10mb-poptune", script="toy_poptune", arguments=LARGE)
RAYS_LARGE = Program(name="toy-10mb-ray", script="toy_ray", arguments=LARGE, needs=("ray",), is_quick=False)
PLAIN_LARGE = Program(name="plain-writes", script="plain_writes")

FIT, FIT_LARGE, WRITES = Figure(OURS, "fit_s"), Figure(OURS_LARGE, "fit_s"), Figure(PLAIN_LARGE, "write_s")


def _toy_and_twice_the_writes(medians: Medians) -> float:
    return medians[FIT.path] + 2 * medians[WRITES.path]


def _beyond_the_toy(medians: Medians) -> str:
    beyond = medians[FIT_LARGE.path] - medians[FIT.path]
    return (
        f"the toy and {digits(beyond / medians[WRITES.path])} times the writing "
        f"({shown(medians[WRITES.path], 's')})"
    )


BENCHMARKS = (
    Benchmark(
        name="toy",
        title="Toy job, `fit()`",
        method=(
            "Four trials of 50 empty iterations on two slots, asynchronous PBT with an exchange every 5 "
            "iterations, a small checkpoint at every 5th report. Timed is `fit()` in a fresh process. Of "
            "Ray, `ray.init` is not counted. Syne Tune's PBT starts a process a trial and has no "
            "milestones at which a trial waits: its trials have ended before it copies any; it sleeps 10 "
            "ms between two looks at them, not 5 s as by default, and ends when four trials have come to "
            "their end."
        ),
        programs=(OURS, RAYS, SYNES),
        limits=(
            times_faster(FIT, Figure(RAYS, "fit_s"), times=100, whom="Ray Tune"),
            times_faster(FIT, Figure(SYNES, "fit_s"), times=4, whom="Syne Tune"),
        ),
        stated=(
            ("exploits, poptune", Figure(OURS, "exploits", "")),
            ("exploits, Syne Tune", Figure(SYNES, "exploits", "")),
            ("`ray.init`", Figure(RAYS, "init_s")),
        ),
    ),
    Benchmark(
        name="toy-10mb",
        title="Toy job with 10 MB of state, `fit()`",
        method=(
            "The same with an array of 10 MB in each checkpoint, which makes 40 saves or a few more. Two "
            "plain processes write 40 files of 10 MB, together, on the same file system."
        ),
        programs=(OURS, OURS_LARGE, PLAIN_LARGE, RAYS_LARGE),
        limits=(
            Limit(
                figure=FIT_LARGE,
                asked="≤ the toy job + twice the plain writing",
                bound=_toy_and_twice_the_writes,
                compared=_beyond_the_toy,
            ),
            times_faster(FIT_LARGE, Figure(RAYS_LARGE, "fit_s"), times=100, whom="Ray Tune"),
        ),
        stated=(("exploits, poptune", Figure(OURS_LARGE, "exploits", "")),),
    ),
)
