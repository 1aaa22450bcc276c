"""What an experiment has come to, read from its journal alone. Nothing here runs code of the experiment."""

from poptune.results.grid import ResultGrid
from poptune.results.history import Exploit, Segment
from poptune.results.lineage import Lineage, PopulationLineage
from poptune.results.result import Result, TrialError

__all__ = [
    "Exploit",
    "Lineage",
    "PopulationLineage",
    "Result",
    "ResultGrid",
    "Segment",
    "TrialError",
]
