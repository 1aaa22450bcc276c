"""Which clusters are simulated, and why."""

from dataclasses import dataclass, field, replace

from poptune.testing.simulation import ClusterSpec

ASKED = ClusterSpec(nodes=1_000, slots_per_node=10)
"""10,000 trials of 1 GB on 1,000 nodes, of which one fails every minute."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One cluster, for so long."""

    name: str
    spec: ClusterSpec
    hours: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Several clusters that differ in one thing."""

    title: str
    scenarios: tuple[Scenario, ...] = field(default=())


def _varied(name: str, hours: float = 0.5, **changes: object) -> Scenario:
    return Scenario(name=name, spec=replace(ASKED, **changes), hours=hours)


SWEEPS = (
    Sweep(
        title="As asked",
        scenarios=(
            Scenario(name="10,000 trials, a node fails every minute", spec=ASKED, hours=1.0),
            _varied("the same, and no node fails", failure_every_s=None),
        ),
    ),
    Sweep(
        title="More failures",
        scenarios=tuple(
            _varied(f"a node every {seconds} s", failure_every_s=float(seconds)) for seconds in (30, 10, 3)
        ),
    ),
    Sweep(
        title="States saved more often (the storage takes 100 GB/s)",
        scenarios=tuple(
            _varied(f"every {every * 30} s", hours=0.25, save_every=every) for every in (5, 4, 3, 2)
        ),
    ),
    Sweep(
        title="Larger states, saved every 5 minutes",
        scenarios=tuple(
            _varied(f"{gigabytes} GB", hours=0.4, checkpoint_bytes=gigabytes * 1e9) for gigabytes in (2, 3, 5)
        ),
    ),
    Sweep(
        title="Shorter iterations (the controller takes 100 us for a message), saved every 5 minutes",
        scenarios=tuple(
            _varied(f"{seconds:g} s", hours=0.1, iteration_s=seconds, save_every=round(300 / seconds))
            for seconds in (5.0, 1.0, 0.9)
        ),
    ),
    Sweep(
        title="Ten times as large: 100,000 trials on 10,000 nodes, one fails every 6 s",
        scenarios=(
            _varied("the storage as it is", hours=0.2, nodes=10_000, failure_every_s=6.0),
            _varied("ten times the storage", hours=0.2, nodes=10_000, failure_every_s=6.0, storage_rate=1e12),
        ),
    ),
)
