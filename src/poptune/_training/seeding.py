"""The random numbers of libraries, seeded for each trial, whenever a library is imported."""

from __future__ import annotations

import importlib.util
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def _seed_numpy(numpy: Any, seed: int) -> None:
    numpy.random.seed(seed % 2**32)


def _seed_torch(torch: Any, seed: int) -> None:
    torch.manual_seed(seed)


_SEED: dict[str, Callable[[Any, int], None]] = {"numpy": _seed_numpy, "torch": _seed_torch}


def seed_libraries(seed: int) -> None:
    """Seed the global generators of Python, numpy and torch; of a library that comes later, when it comes."""
    random.seed(seed)
    for name, seed_it in _SEED.items():
        if (library := sys.modules.get(name)) is not None:
            seed_it(library, seed)
        else:
            _AWAITED[name] = seed
    if _AWAITED and _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def generator_states() -> dict[str, Any]:
    """Return the states of the global generators of the libraries that are imported.

    Of torch, those of the CPU and, once they are in use, of the CUDA devices.
    """
    states: dict[str, Any] = {"python": random.getstate()}
    if numpy := sys.modules.get("numpy"):
        states["numpy"] = numpy.random.get_state()
    if torch := sys.modules.get("torch"):
        states["torch"] = torch.get_rng_state()
        if torch.cuda.is_initialized():
            states["torch_cuda"] = torch.cuda.get_rng_state_all()
    return states


def restore_generators(states: Mapping[str, Any]) -> None:
    """Go on from where generators were when :func:`generator_states` was asked."""
    random.setstate(states["python"])
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy and "numpy" in states:
        numpy.random.set_state(states["numpy"])
    if torch and "torch" in states:
        torch.set_rng_state(states["torch"])
    if torch and "torch_cuda" in states:
        torch.cuda.set_rng_state_all(states["torch_cuda"])


_AWAITED: dict[str, int] = {}
"""The seeds for what has not been imported yet."""


class _Finder(MetaPathFinder):
    """Finds nothing by itself: it has what others find seeded after its import."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        seed = _AWAITED.pop(fullname, None)
        if seed is None:
            return None
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return None
        spec.loader = _SeedingLoader(spec.loader, seed)
        return spec


class _SeedingLoader(Loader):
    """Loads a library by its own loader, to which it leaves its place, and then seeds it."""

    def __init__(self, loader: Loader, seed: int) -> None:
        self._loader = loader
        self._seed = seed

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self._loader  # it is asked for the library's files
        self._loader.exec_module(module)
        _SEED[module.__name__](module, self._seed)


_finder = _Finder()
