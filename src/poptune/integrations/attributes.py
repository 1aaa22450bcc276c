"""Hyperparameters that stay bound to attributes of any object: a dropout layer, a data set, a sampler."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, final

from poptune._base.equality import same
from poptune._base.types import Config
from poptune._training.configs import value_at
from poptune._training.states import BoundState
from poptune.errors import ConfigurationError, TrainableError, TrainingCodeError


@final
class BoundObject(BoundState):
    """An object whose attributes follow the config, as a state for `steps`; made by :func:`poptune.bind`.

    Args:
        thing: The object.
        bound: What the config calls each attribute, with dots into nested dicts.

    Raises:
        ConfigurationError: The object has no such attribute, or is a class.
    """

    def __init__(self, thing: Any, bound: dict[str, str]) -> None:
        for name, path in bound.items():
            _check_attribute(thing, name, path)
        self._thing = thing
        self._bound = bound

    @property
    def config_paths(self) -> list[str]:
        return list(self._bound.values())

    def begin(self, config: Config) -> None:
        self.write(config)

    def write(self, config: Config) -> None:
        """Set the attributes, and read them back."""
        for name, path in self._bound.items():
            wanted = _wanted(config, path, name)
            self._set(name, path, wanted)
            self._check_taken(name, path, wanted)

    def _set(self, name: str, path: str, wanted: Any) -> None:
        try:
            setattr(self._thing, name, wanted)
        except Exception as error:
            is_read_only = isinstance(error, AttributeError)  # else another value may be set
            kind = TrainingCodeError if is_read_only else TrainableError
            raise kind(
                f"What bind() is given must let its attributes be set, but {name!r} of the "
                f"{type(self._thing).__name__} cannot be set to {wanted!r} from config[{path!r}] "
                f"({type(error).__name__}: {error}): bind an object that lets it be set, or leave this one "
                f"out of bind() and make it anew in the loop from config[{path!r}]"
            ) from error

    def check(self, config: Config, is_read: Callable[[str], bool]) -> None:
        for name, path in self._bound.items():
            if not is_read(path):
                self._check_taken(name, path, _wanted(config, path, name))

    def _check_taken(self, name: str, path: str, wanted: Any) -> None:
        if not same(found := getattr(self._thing, name), wanted):
            raise TrainingCodeError(
                f"The {type(self._thing).__name__} must take a new {name!r}, but it has {found!r} after "
                f"{wanted!r} was set from config[{path!r}]: something sets it anew, or its setter changes it"
            )

    def state_dict(self) -> Any:
        """Return the object's own state if it has one; else nothing, as the config has the rest."""
        return self._thing.state_dict() if _is_stateful(self._thing) else {}

    def load_state_dict(self, state: Any) -> None:
        if _is_stateful(self._thing):
            self._thing.load_state_dict(state)


def _check_attribute(thing: Any, name: str, path: str) -> None:
    kind = type(thing).__name__
    if isinstance(thing, type):
        raise ConfigurationError(
            f"bind() needs an object, got the class {thing.__name__}, whose attributes all trials of one "
            f'process share: make an object of it, and bind that, bind(object, {name}="{path}")'
        )
    if hasattr(thing, name):
        return
    if isinstance(thing, Mapping):
        raise ConfigurationError(
            f"What is bound must be an attribute of an object, but {name!r} is to be one of a {kind}, which "
            f"has keys: read config[{path!r}] where it is used, or hold it in an object, "
            f"holder = types.SimpleNamespace({name}=...), and bind that"
        )
    close = difflib.get_close_matches(name, _public(thing), n=1)
    raise ConfigurationError(
        f"What is bound must be an attribute of the object, but this {kind} has no {name!r}"
        f"{f': did you mean {close[0]!r}?' if close else f'; it has {_public(thing)}'}"
    )


def _is_stateful(thing: Any) -> bool:
    return callable(getattr(thing, "state_dict", None)) and callable(getattr(thing, "load_state_dict", None))


def _wanted(config: Config, path: str, name: str) -> Any:
    try:
        return value_at(config, path)
    except KeyError:
        raise TrainingCodeError(
            f"What is bound must be in the config, but {path!r} for the attribute {name!r} is not; it has "
            f"{sorted(map(str, config))}: add it to param_space, or name it otherwise, as in "
            f'bind(object, {name}="key")'
        ) from None


def _public(thing: Any) -> list[str]:
    return (
        sorted(name for name in vars(thing) if not name.startswith("_")) if hasattr(thing, "__dict__") else []
    )
