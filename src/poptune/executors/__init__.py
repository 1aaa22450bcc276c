"""Where trials run. An executor is imported when it is asked for: ``preload`` must not wait for that."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from poptune.executors.base import Executor, Workers
    from poptune.executors.distributed import RayExecutor
    from poptune.executors.inline import InlineExecutor
    from poptune.executors.preloading import preload
    from poptune.executors.processes import ProcessExecutor

__all__ = ["Executor", "InlineExecutor", "ProcessExecutor", "RayExecutor", "Workers", "preload"]

_HOME = {
    "Executor": "base",
    "InlineExecutor": "inline",
    "ProcessExecutor": "processes",
    "RayExecutor": "distributed",
    "Workers": "base",
    "preload": "preloading",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    return value
