"""The algorithms. Each only decides; the machine in ``poptune.core`` carries the decisions out."""

from poptune.schedulers.asha import ASHAScheduler, AsyncHyperBandScheduler
from poptune.schedulers.exploit import Exploit, KeepOwn, Truncation
from poptune.schedulers.explore import Explore, Perturb
from poptune.schedulers.fifo import FIFOScheduler
from poptune.schedulers.median import MedianStoppingRule
from poptune.schedulers.pbt import PopulationBasedTraining
from poptune.schedulers.replay import PopulationBasedTrainingReplay

__all__ = [
    "ASHAScheduler",
    "AsyncHyperBandScheduler",
    "Exploit",
    "Explore",
    "FIFOScheduler",
    "KeepOwn",
    "MedianStoppingRule",
    "Perturb",
    "PopulationBasedTraining",
    "PopulationBasedTrainingReplay",
    "Truncation",
]
