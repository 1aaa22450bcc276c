"""A virtual world for the core: the machine that runs experiments, driven without processes or clocks."""

from poptune.testing.simulation.cluster import Cluster, ClusterSpec
from poptune.testing.simulation.workers import SimulatedWorkers
from poptune.testing.simulation.world import World, created

__all__ = ["Cluster", "ClusterSpec", "SimulatedWorkers", "World", "created"]
