"""Answers every module and name of Ray's that is not mirrored: with its reason, and what to write instead.

Names that moved between Ray's releases are found in the place where the mirror has them. A name that Ray does
not have either is an ordinary error, with the nearest one that is here.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn

from poptune._base.arguments import nearest
from poptune._base.spelling import meant
from poptune.compat.ray._rays_names import NAMES
from poptune.compat.ray._reasons import ALIASES, HOMES, NAME_REASONS, PRIVATE, REASONS

ROOT = __name__.rpartition(".")[0]
_MACHINERY = "it is a part of Ray's own machinery"


def refuse_names(module: str, reasons: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for a module, which says of names that it lacks why there are none.

    Args:
        module: The module.
        reasons: Its own reasons, beside those that hold everywhere.
    """

    def missing(name: str) -> Any:
        if name in reasons:
            raise not_mirrored(f"{module}.{name}", reasons[name])
        return _answer(module, name)

    return missing


def not_mirrored(path: str, reason: str) -> ImportError:
    """Return the error for a module or name of Ray's that is not mirrored."""
    return ImportError(f"{path} is not mirrored: {reason}", name=path)


class Unmirrored:
    """An attribute of one of Ray's classes that there is not, with the reason; a subclass may have one."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def __set_name__(self, owner: type, name: str) -> None:
        self._path = f"{owner.__name__}.{name}"
        self._name = name

    def __get__(self, instance: object, owner: type | None = None) -> NoReturn:
        raise AttributeError(f"{self._path} is not mirrored: {self._reason}", name=self._name)


def reason_of(path: str) -> str:
    """Return why a module of Ray's, such as ``rllib.algorithms``, is not mirrored; or nothing."""
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        if reason := REASONS.get(".".join(parts[:length])):
            return reason
    return ""


def install() -> None:
    """Have imports below this package answered, once; and its modules say why they lack a name."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
    for home in HOMES:
        importlib.import_module(f"{ROOT}.{home}")
    for name, module in list(sys.modules.items()):
        if name == ROOT or name.startswith(f"{ROOT}."):
            _complete(module)


def _complete(module: ModuleType) -> None:
    """Have a module answer for what Ray has below it, although it is no package."""
    if not hasattr(module, "__path__"):
        module.__path__ = []
    vars(module).setdefault("__getattr__", refuse_names(module.__name__, {}))


def _answer(module: str, name: str) -> Any:
    relative = module.removeprefix(ROOT).lstrip(".")
    if not name.startswith("__"):
        if name in NAMES.get(relative, "").split():
            return _elsewhere(module, name, reason_of(f"{relative}.{name}".lstrip(".")))
        if reason := reason_of(f"{relative}.{name}".lstrip(".")):
            raise not_mirrored(f"{module}.{name}", reason)
    known = [known for known in vars(sys.modules[module]) if not known.startswith("_")]
    raise AttributeError(f"module {module!r} has no attribute {name!r}{nearest(name, known)}", name=name)


def _elsewhere(module: str, name: str, reason: str) -> Any:
    """Return what the mirror has under this name in another of its modules."""
    for home in HOMES:
        found = vars(importlib.import_module(f"{ROOT}.{home}"))
        if name in found:
            return found[name]
    raise not_mirrored(f"{module}.{name}", NAME_REASONS.get(name) or reason or _MACHINERY)


class _Finder(MetaPathFinder):
    """Comes last, so that it is asked only for what is not there."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if not fullname.startswith(f"{ROOT}."):
            return None
        relative = fullname.removeprefix(f"{ROOT}.")
        if relative in ALIASES:
            return ModuleSpec(fullname, _Alias(f"{ROOT}.{ALIASES[relative]}"), is_package=True)
        if reason := reason_of(relative) or _reason_if_private(relative):
            if not any(path.startswith(f"{relative}.") for path in REASONS):
                raise not_mirrored(fullname, reason)
            return ModuleSpec(fullname, _Absent(reason), is_package=True)
        raise ModuleNotFoundError(f"No module named {fullname!r}{_near(relative)}", name=fullname)


def _reason_if_private(path: str) -> str:
    """Return why a module below a name that begins with an underscore is not mirrored; else nothing."""
    is_private = any(part.startswith("_") and not part.startswith("__") for part in path.split("."))
    return PRIVATE if is_private else ""


def _near(path: str) -> str:
    """Return the module that is likely to be meant by one that Ray has not either; none that is refused."""
    ours = (name.removeprefix(f"{ROOT}.") for name in sys.modules if name.startswith(f"{ROOT}."))
    there = [name for name in (*ours, *ALIASES) if not (reason_of(name) or _reason_if_private(name))]
    beside = [name for name in there if name.rpartition(".")[0] == path.rpartition(".")[0]]
    found = meant(path, sorted(beside))
    return f"; did you mean {found!r}?" if found else ""


class _Absent(Loader):
    """Makes a module that has nothing, where those below it say more than it could."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def exec_module(self, module: ModuleType) -> None:
        def missing(name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            raise not_mirrored(f"{module.__name__}.{name}", self._reason)

        vars(module)["__getattr__"] = missing


class _Alias(Loader):
    """Makes a module that has what another one has."""

    def __init__(self, name: str) -> None:
        self._name = name

    def exec_module(self, module: ModuleType) -> None:
        target = importlib.import_module(self._name)
        vars(module).update(
            __doc__=target.__doc__,
            __all__=[name for name in vars(target) if not name.startswith("_")],
            __getattr__=lambda name: getattr(target, name),
        )
