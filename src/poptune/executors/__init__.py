"""Where trials run. An executor is imported when it is asked for: ``preload`` must not wait for that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poptune.lazy import exports

if TYPE_CHECKING:
    from poptune.executors.base import Executor, Workers
    from poptune.executors.distributed import RayExecutor
    from poptune.executors.inline import InlineExecutor
    from poptune.executors.preloading import preload
    from poptune.executors.processes import ProcessExecutor

__all__ = ["Executor", "InlineExecutor", "ProcessExecutor", "RayExecutor", "Workers", "preload"]

__getattr__ = exports(
    __name__,
    {
        "base": "Executor Workers",
        "distributed": "RayExecutor",
        "inline": "InlineExecutor",
        "preloading": "preload",
        "processes": "ProcessExecutor",
    },
)
