"""Ray's actors in the place of processes, on this machine: what the cluster costs."""

from benchmark import Benchmark, Figure, Program

ON_RAY = ("--executor", "ray")
FEW = ("--reports", "20000")


def pair(name: str, script: str, *arguments: str, quick: tuple[str, ...]) -> tuple[Program, Program]:
    """Return a program on processes and on Ray."""
    on_processes = Program(name=f"{name}-processes", script=script, arguments=arguments, quick=quick)
    on_ray = Program(
        name=f"{name}-on-ray",
        script=script,
        arguments=(*arguments, *ON_RAY),
        needs=("ray",),
        is_quick=False,
    )
    return on_processes, on_ray


INTAKE = pair("cluster-intake", "report_intake", *FEW, quick=("--reports", "2000"))
EXPLOIT = pair("cluster-exploit", "exploit", "--pause-s", "0.1", quick=("--exploits", "5"))
CONVNET = pair("cluster-convnet", "convnet_steps", quick=("--iterations", "10"))
WHERE = ("processes", "Ray")

BENCHMARKS = (
    Benchmark(
        name="cluster",
        title="Executors side by side",
        method=(
            'The same programs with `executor="processes"` and with `executor="ray"` on a cluster of this '
            "one machine, which the program starts. Reports: two workers report three metrics as fast as "
            "they can, loggers off. Exploit: a state of 1 MB, from the donor's save to the recipient's next "
            "step; on one node its file is mapped by both executors. ConvNet: the whole program in the steps "
            "form, from its start to its end; that of Ray starts a cluster first."
        ),
        programs=(*INTAKE, *EXPLOIT, *CONVNET),
        limits=(),
        stated=(
            *(
                (f"reports, {where}", Figure(p, "per_s", "/s"))
                for where, p in zip(WHERE, INTAKE, strict=True)
            ),
            *(
                (f"exploit of 1 MB, {where}", Figure(p, "exploit_p50_s"))
                for where, p in zip(WHERE, EXPLOIT, strict=True)
            ),
            *(
                (f"tutorial ConvNet, {where}", Figure(p, "whole_s"))
                for where, p in zip(WHERE, CONVNET, strict=True)
            ),
        ),
    ),
)
