"""Where trials run. An executor is imported when it is asked for: ``preload`` must not wait for that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poptune._base.lazy import exports

if TYPE_CHECKING:
    from poptune._running.executors.base import Executor, Workers
    from poptune._running.executors.distributed import RayExecutor
    from poptune._running.executors.inline import InlineExecutor
    from poptune._running.executors.preloading import preload
    from poptune._running.executors.processes import ProcessExecutor

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
