"""Projections of the journal into files that people and other tools read."""

from poptune.loggers.csv import CsvLogger
from poptune.loggers.errors import ErrorLogger
from poptune.loggers.json import JsonLogger
from poptune.loggers.output import LogFiles, OutputLogger, log_files
from poptune.loggers.pbt_log import PerturbationLogger
from poptune.loggers.tensorboard import TensorBoardLogger

__all__ = [
    "CsvLogger",
    "ErrorLogger",
    "JsonLogger",
    "LogFiles",
    "OutputLogger",
    "PerturbationLogger",
    "TensorBoardLogger",
    "log_files",
]
