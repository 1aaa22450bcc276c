"""Brings the trainable to the workers: pickled by value where it must be, and what to import first."""

from __future__ import annotations

import dis
import functools
import inspect
import pickle
import pickletools
import sys
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import cloudpickle

from poptune._base import pickling
from poptune._base.attempts import attempt
from poptune._training import shared
from poptune._training.trainable import Prepared
from poptune.errors import ConfigurationError

_ARRAY_LIBRARIES = {"numpy", "torch", "jax"}
_ARRAY_LEAVES = "poptune._keeping.checkpoints.leaves"
_PLAIN_TYPES = {int, float, str, bool, type(None)}


@dataclass(frozen=True, slots=True)
class Shipment:
    """A trainable on its way to workers. Its parameters go their own way, so that their arrays are shared."""

    trainable: bytes
    """A pickled :class:`Prepared` without parameters; what workers cannot import is in it by value."""
    parameters: shared.Parts | None


def ship(prepared: Prepared) -> Shipment:
    """Return the trainable as what a worker can open without running the user's main module.

    Raises:
        ConfigurationError: Something that the trainable captures cannot be pickled; the message names it.
    """
    try:
        with _by_value_if_workers_cannot_import(prepared):
            parameters = shared.split(dict(prepared.parameters)) if prepared.parameters else None
            return Shipment(pickling.dumps(replace(prepared, parameters={})), parameters)
    except Exception as error:
        culprit = next(_unpicklable(prepared), None)
        named = f": {culprit}" if culprit else ""
        raise ConfigurationError(
            f"The trainable must be picklable, so that workers can run it, but {prepared.name} captures "
            f"something that is not{named} ({type(error).__name__}: {error}). Create it inside the function, "
            "or run with RunConfig(executor='inline')"
        ) from error


@contextmanager
def _by_value_if_workers_cannot_import(prepared: Prepared) -> Iterator[None]:
    """Have the trainable's module pickled by value if it was loaded from where ``import`` does not look."""
    module = sys.modules.get(getattr(prepared.code, "__module__", ""))
    if module is None or _is_importable(module):
        yield
        return
    cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def _is_importable(module: types.ModuleType) -> bool:
    """Whether a fresh process would find this very module by its name."""
    if module.__name__ == "__main__":
        return True  # cloudpickle ships it by value anyhow
    path: list[str] | None = None
    name = origin = None
    for part in module.__name__.split("."):
        name = f"{name}.{part}" if name else part
        found = [finder.find_spec(name, path) for finder in sys.meta_path if hasattr(finder, "find_spec")]
        spec = next((spec for spec in found if spec is not None), None)
        if spec is None:
            return False
        origin = spec.origin
        path = list(spec.submodule_search_locations or [])
    return origin == getattr(module, "__file__", origin)


def _unpicklable(prepared: Prepared) -> Iterator[str]:
    for name, value in prepared.parameters.items():
        if not _can_pickle(value):
            yield f"the parameter {name!r}, a {type(value).__name__}"
    trainable: Any = prepared.trainable
    while isinstance(trainable, functools.partial):
        for given, value in [*enumerate(trainable.args), *trainable.keywords.items()]:
            if not _can_pickle(value):
                yield f"the argument {given!r} of a partial, a {type(value).__name__}"
        trainable = trainable.func
    for function in _functions(trainable):
        captured = inspect.getclosurevars(function)
        for name, value in {**captured.globals, **captured.nonlocals}.items():
            if not _can_pickle(value) and not isinstance(value, types.FunctionType):
                yield f"{name!r}, a {type(value).__name__}"


def _functions(trainable: object, seen: set[int] | None = None) -> Iterator[types.FunctionType]:
    """The function, or the methods of the class, and the functions that they call by a global name."""
    seen = set() if seen is None else seen
    members = vars(trainable).values() if isinstance(trainable, type) else [trainable]
    for member in members:
        if not isinstance(member, types.FunctionType) or id(member) in seen:
            continue
        seen.add(id(member))
        yield member
        captured = inspect.getclosurevars(member)
        for value in {**captured.globals, **captured.nonlocals}.values():
            yield from _functions(value, seen)


def _can_pickle(value: object) -> bool:
    return attempt(lambda: bool(cloudpickle.dumps(value)), or_else=lambda _: False)


def modules_used(prepared: Prepared, shipment: Shipment) -> list[str]:
    """Return the modules that the trainable will import, as far as they can be told beforehand.

    They are those that the pickle refers to, those that an ``import`` inside the code names, and where any of
    them can make arrays, what saving arrays takes.
    """
    texts = {text for _, text, _ in pickletools.genops(shipment.trainable) if isinstance(text, str)}
    if shipment.parameters is not None:
        texts |= {type(leaf).__module__ for leaf in shipment.parameters.leaves.values()}
    referred = {text for text in texts if text in sys.modules}
    imported = {
        name
        for function in _functions(prepared.code)
        for code in _codes(function.__code__)
        for name in _imports(code)
    }
    wanted = {name for name in referred | imported if _is_worth_it(name)}
    makes_arrays = any(name.split(".")[0] in _ARRAY_LIBRARIES for name in wanted)
    return sorted(wanted | {_ARRAY_LEAVES} if makes_arrays else wanted)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _imports(code: types.CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname == "IMPORT_NAME":
            yield str(instruction.argval)


def _is_worth_it(name: str) -> bool:
    return bool(name) and not name.startswith(("__main__", "poptune._running.executors"))


def ship_config(config: Mapping[str, Any]) -> bytes:
    """Return a config as bytes.

    Raises:
        ConfigurationError: A value cannot be pickled; the message names its key.
    """
    try:
        return pickle.dumps(dict(config)) if _is_plain(config) else pickling.dumps(dict(config))
    except Exception as error:
        names = ", ".join(repr(name) for name in _unpicklable_keys(config))
        raise ConfigurationError(
            f"Config values must be picklable, so that workers and the journal can have them, but {names} "
            f"cannot be pickled ({type(error).__name__}: {error}): create it inside the trainable"
        ) from error


def _is_plain(config: Mapping[str, Any]) -> bool:
    """Whether any pickler will do, and so the fast one: nothing in it comes from the user's main module."""
    return all(type(value) in _PLAIN_TYPES for value in config.values())


def _unpicklable_keys(config: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in config.items():
        if _can_pickle(value):
            continue
        inner = _unpicklable_keys(value, f"{prefix}{key}.") if isinstance(value, Mapping) else iter(())
        first = next(inner, None)
        yield from [f"{prefix}{key}"] if first is None else [first, *inner]
