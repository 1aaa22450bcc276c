"""The algorithms. Each only decides; the machine in ``poptune.core`` carries the decisions out."""

from poptune.schedulers.exploit import Exploit, KeepOwn, Truncation
from poptune.schedulers.explore import Explore, Perturb
from poptune.schedulers.fifo import FIFOScheduler
from poptune.schedulers.pbt import PopulationBasedTraining
from poptune.schedulers.replay import PopulationBasedTrainingReplay

__all__ = [
    "Exploit",
    "Explore",
    "FIFOScheduler",
    "KeepOwn",
    "Perturb",
    "PopulationBasedTraining",
    "PopulationBasedTrainingReplay",
    "Truncation",
]
