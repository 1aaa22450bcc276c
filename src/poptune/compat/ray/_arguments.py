"""What becomes of arguments and names of Ray that have no counterpart here: a log line, or an error."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import NoReturn

from poptune.errors import ConfigurationError

logger = logging.getLogger("poptune.compat.ray")


def set_aside(owner: str, given: Mapping[str, object], reasons: Mapping[str, str]) -> None:
    """Log a line for each argument that was given although it means nothing here."""
    for name, reason in reasons.items():
        if given[name] is not None:
            logger.warning("%s(%s=%r) changes nothing here: %s", owner, name, given[name], reason)


def refuse(owner: str, given: Mapping[str, object], reasons: Mapping[str, str]) -> None:
    """Raise ``ConfigurationError`` for the first argument that was given and cannot be honoured."""
    for name, reason in reasons.items():
        if given[name] not in (None, False):
            raise ConfigurationError(f"{owner}({name}={given[name]!r}) cannot be honoured here: {reason}")


def refuse_names(module: str, reasons: Mapping[str, str]) -> Callable[[str], NoReturn]:
    """Return a ``__getattr__`` for a module: an import of one of these names says why there is none."""

    def missing(name: str) -> NoReturn:
        if name in reasons:
            raise ImportError(f"{module}.{name} is not mirrored: {reasons[name]}", name=module)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return missing


def refuse_modules(package: str, modules: Mapping[str, Iterable[str]], reason: str) -> None:
    """Have the import of these names from these modules, which a package lacks, say why."""
    for name, members in modules.items():
        module = ModuleType(f"{package}.{name}", f"Not mirrored: {reason}.")
        vars(module)["__getattr__"] = refuse_names(module.__name__, dict.fromkeys(members, reason))
        sys.modules[module.__name__] = module
