"""``ray.tune.registry``: trainables by name, and a check for code that was written for Ray of before 2022."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from poptune.arguments import nearest
from poptune.compat.ray._arguments import refuse_names
from poptune.errors import ConfigurationError
from poptune.runtime.trainable import Prepared

__getattr__ = refuse_names(__name__, {"register_env": "environments are RLlib's"})

Trainable = Callable[..., Any] | Prepared
_registered: dict[str, Trainable] = {}
_PASSED_BY_RAY_1 = {
    "checkpoint_dir": "call tune.get_checkpoint() inside it",
    "reporter": "call tune.report({...}) inside it",
}


def register_trainable(name: str, trainable: Trainable) -> None:
    """Have ``Tuner`` and ``run`` know a trainable by a name."""
    _registered[name] = trainable


def find_trainable(trainable: Trainable | str | None) -> Trainable:
    """Return what is to be trained.

    Raises:
        ConfigurationError: Nobody registered this name, or the code awaits what Ray gave it before 2022.
    """
    if isinstance(trainable, str):
        if trainable not in _registered:
            raise ConfigurationError(
                f"The trainable must be a function, a class or a registered name, got {trainable!r}"
                f"{nearest(trainable, _registered)}"
            )
        trainable = _registered[trainable]
    if trainable is None:
        raise ConfigurationError("A Tuner needs a trainable, got None: pass a function or a tune.Trainable")
    _check_era(trainable.trainable if isinstance(trainable, Prepared) else trainable)
    return trainable


def _check_era(code: Callable[..., Any]) -> None:
    if not inspect.isfunction(code):
        return
    for name in inspect.signature(code).parameters:
        if name in _PASSED_BY_RAY_1:
            raise ConfigurationError(
                f"{code.__name__} awaits {name!r}, which Ray gave to trainables until 2022: leave it out, "
                f"and {_PASSED_BY_RAY_1[name]}"
            )
