"""Where modules were before the package was regrouped: who names them there finds them still.

A user's class that was pickled into a checkpoint names its base, for example
``poptune.runtime.trainable.Trainable``; such a checkpoint opens for ever.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.abc import Loader, MetaPathFinder
else:  # importlib.abc takes long to import, for nothing but these names
    Loader = MetaPathFinder = object

_ONCE_AT_THE_TOP = (
    *("arguments", "copies", "equality", "layout", "lazy", "nested", "notices"),
    *("pickling", "places", "script", "spelling", "types"),
)
FORMER = {
    **{name: f"_base.{name}" for name in _ONCE_AT_THE_TOP},
    "by_hand": "_base.global_random",
    "core": "_core",
    "runtime": "_training",
    "simulation": "testing.simulation",
    **{name: f"_keeping.{name}" for name in ("checkpoints", "journal", "mirroring", "storage")},
    **{name: f"_running.{name}" for name in ("controller", "executors", "tuner")},
    **{name: f"_watching.{name}" for name in ("progress", "verification")},
}
"""Of each module or package that lay at the top, where it is now."""


class _Finder(MetaPathFinder):
    """Finds a module by its former path: the very module that it is now."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        package, _, inner = fullname.partition(".")
        first, dot, rest = inner.partition(".")
        if package != "poptune" or first not in FORMER:
            return None
        return ModuleSpec(fullname, _Present(f"poptune.{FORMER[first]}{dot}{rest}"))


class _Present(Loader):
    def __init__(self, name: str) -> None:
        self._name = name

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave that to the system, since what it makes is replaced."""

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = import_module(self._name)


def keep_former_paths() -> None:
    """Have them found from now on."""
    sys.meta_path.insert(0, _Finder())
