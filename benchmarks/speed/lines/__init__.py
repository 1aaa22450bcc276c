"""The benchmarks, in the order of the table."""

from benchmark import Benchmark

from lines import cluster, convnet, core, exploit, memory, reports, toy

BENCHMARKS: tuple[Benchmark, ...] = (
    *toy.BENCHMARKS,
    *convnet.BENCHMARKS,
    *reports.BENCHMARKS,
    *exploit.BENCHMARKS,
    *core.BENCHMARKS,
    *memory.BENCHMARKS,
    *cluster.BENCHMARKS,
)
