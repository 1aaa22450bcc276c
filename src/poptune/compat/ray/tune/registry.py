"""``ray.tune.registry``: trainables by name, and a check for code that was written for Ray of before 2022."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from poptune._base.arguments import nearest
from poptune._training.trainable import Prepared, prepare
from poptune.compat.ray.tune.function_form import as_ray_calls_it
from poptune.errors import ConfigurationError

Trainable = Callable[..., Any] | Prepared
_registered: dict[str, Trainable] = {}
_PASSED_BY_RAY_1 = {
    "checkpoint_dir": "call tune.get_checkpoint() inside it",
    "reporter": "call tune.report({...}) inside it",
}


def register_trainable(name: str, trainable: Trainable) -> None:
    """Have ``Tuner`` and ``run`` know a trainable by a name.

    Raises:
        TypeError: It is neither a function nor a subclass of ``Trainable``.
    """
    try:
        prepare(trainable)
    except ConfigurationError as error:
        raise TypeError(f"{name!r} cannot be registered: {error}") from error
    _registered[name] = trainable


def get_trainable_cls(trainable_name: str) -> Trainable:
    """Return what was registered under a name.

    Raises:
        ConfigurationError: Nobody has registered it.
    """
    if trainable_name not in _registered:
        raise ConfigurationError(
            f"The trainable must be a function, a class or a registered name, got {trainable_name!r}"
            f"{nearest(trainable_name, _registered)}"
        )
    return _registered[trainable_name]


def find_trainable(trainable: Trainable | str | None) -> Prepared:
    """Return what is to be trained; a function so that what it returns or yields is a result, too.

    Raises:
        ConfigurationError: Nobody registered this name, or the code awaits what Ray gave it before 2022.
    """
    called = None
    if isinstance(trainable, str):
        called, trainable = trainable, get_trainable_cls(trainable)
    if trainable is None:
        raise ConfigurationError("A Tuner needs a trainable, got None: pass a function or a tune.Trainable")
    prepared = prepare(trainable)
    _check_era(prepared.code)
    code: Any = prepared.trainable
    if not prepared.is_class:
        return replace(prepared, trainable=as_ray_calls_it(code, called=called))
    if called is None or called == code.__name__:
        return prepared
    return replace(prepared, trainable=type(called, (code,), {"__module__": code.__module__}))


def _check_era(code: Callable[..., Any]) -> None:
    if not inspect.isfunction(code):
        return
    for name in inspect.signature(code).parameters:
        if name in _PASSED_BY_RAY_1:
            raise ConfigurationError(
                f"{code.__name__} awaits {name!r}, which Ray gave to trainables until 2022: leave it out, "
                f"and {_PASSED_BY_RAY_1[name]}"
            )
