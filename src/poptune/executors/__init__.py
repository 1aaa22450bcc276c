"""Where trials run."""

from poptune.executors.base import Executor, Workers
from poptune.executors.distributed import RayExecutor
from poptune.executors.inline import InlineExecutor
from poptune.executors.preloading import preload
from poptune.executors.processes import ProcessExecutor

__all__ = ["Executor", "InlineExecutor", "ProcessExecutor", "RayExecutor", "Workers", "preload"]
