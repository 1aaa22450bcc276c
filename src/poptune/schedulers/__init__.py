"""The algorithms. Each only decides; the machine in ``poptune._core`` carries the decisions out."""

from poptune.schedulers.asha import ASHAScheduler, AsyncHyperBandScheduler
from poptune.schedulers.exploit import KeepOwn, Truncation, reborn
from poptune.schedulers.explore import Perturb
from poptune.schedulers.explorer import Copy, Explored, Explorer
from poptune.schedulers.fifo import FIFOScheduler
from poptune.schedulers.median import MedianStoppingRule
from poptune.schedulers.pbt import PopulationBasedTraining
from poptune.schedulers.replay import PopulationBasedTrainingReplay
from poptune.schedulers.selector import Choice, Selection, Selector

__all__ = [
    "ASHAScheduler",
    "AsyncHyperBandScheduler",
    "Choice",
    "Copy",
    "Explored",
    "Explorer",
    "FIFOScheduler",
    "KeepOwn",
    "MedianStoppingRule",
    "Perturb",
    "PopulationBasedTraining",
    "PopulationBasedTrainingReplay",
    "Selection",
    "Selector",
    "Truncation",
    "reborn",
]
