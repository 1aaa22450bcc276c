"""The tutorial's ConvNet, the whole program from its start to its end."""

from benchmark import Benchmark, Figure, Program, at_most_times, times_faster

FEW = ("--iterations", "10")

PLAIN = Program(name="convnet-plain", script="convnet_plain", quick=FEW, needs=("torch",))
FUNCTION = Program(name="convnet-function", script="convnet_poptune", quick=FEW, needs=("torch",))
STEPS = Program(name="convnet-steps", script="convnet_steps", quick=FEW, needs=("torch",))
RAYS = Program(name="convnet-ray", script="convnet_ray", needs=("torch", "ray"), is_quick=False)

WHOLE_PLAIN, WHOLE_RAY = Figure(PLAIN, "whole_s"), Figure(RAYS, "whole_s")
LOOP = "the plain loop"

BENCHMARKS = (
    Benchmark(
        name="convnet",
        title="Tutorial ConvNet, function form, whole program",
        method=(
            "The ConvNet of `examples/mnist_convnet_pbt.py`: four trials of 50 iterations on two slots, "
            "one torch thread each, an exchange every 5 iterations, no other stop, no pictures, no "
            "progress. Timed from outside, imports included. The plain loop is two forked processes that "
            "train two such networks each, 50 iterations, without any library. Ray's workers run the same "
            "function, and `ray.init` is part of its program."
        ),
        programs=(PLAIN, FUNCTION, RAYS),
        limits=(
            at_most_times(Figure(FUNCTION, "whole_s"), WHOLE_PLAIN, times=1.8, whom=LOOP),
            times_faster(Figure(FUNCTION, "whole_s"), WHOLE_RAY, times=10, whom="Ray Tune"),
        ),
        stated=(
            ("exploits", Figure(FUNCTION, "exploits", "")),
            ("iterations trained", Figure(FUNCTION, "trained", "")),
        ),
    ),
    Benchmark(
        name="convnet-steps",
        title="Tutorial ConvNet, steps form, whole program",
        method=(
            "The same with `tune.steps`, so that exploits happen in place, and the data given once by "
            "`tune.with_parameters`."
        ),
        programs=(PLAIN, STEPS, RAYS),
        limits=(
            at_most_times(Figure(STEPS, "whole_s"), WHOLE_PLAIN, times=1.2, whom=LOOP),
            times_faster(Figure(STEPS, "whole_s"), WHOLE_RAY, times=16, whom="Ray Tune"),
        ),
        stated=(
            ("exploits", Figure(STEPS, "exploits", "")),
            ("iterations trained", Figure(STEPS, "trained", "")),
        ),
    ),
)
