"""A virtual world for the core: the machine that runs experiments, driven without processes or clocks."""

from poptune.simulation.workers import SimulatedWorkers
from poptune.simulation.world import World, created

__all__ = ["SimulatedWorkers", "World", "created"]
