"""Loggers write what happens somewhere else: into files that people and tools read, or into a tracker.

One of your own is a subclass of :class:`Logger` or :class:`TrialLogger`; see ``docs/extending.md``.
"""

from poptune.loggers.csv import CsvLogger
from poptune.loggers.json import JsonLogger
from poptune.loggers.logger import Logger, WatchedRun
from poptune.loggers.tensorboard import TensorBoardLogger
from poptune.loggers.trial_logger import Restart, Takeover, TrialLogger

__all__ = [
    "CsvLogger",
    "JsonLogger",
    "Logger",
    "Restart",
    "Takeover",
    "TensorBoardLogger",
    "TrialLogger",
    "WatchedRun",
]
