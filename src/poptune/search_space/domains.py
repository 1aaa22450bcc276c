"""What an entry of a search space may be; the numeric kinds are in ``numeric.py``.

A `Domain` can be sampled on its own. `SampleFrom` reads the rest of the config and `GridSearch` is
unrolled into several trials, so those two are entries of a space but not domains.
"""

from __future__ import annotations

import inspect
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeGuard, final

from poptune._base.equality import same
from poptune._base.global_random import global_generator
from poptune.errors import ConfigurationError

if TYPE_CHECKING:
    import numpy as np


class Domain(ABC):
    """A set of values with a distribution over it."""

    __slots__ = ()

    def sample(self, rng: np.random.Generator | None = None, size: int = 1) -> Any:
        """Draw a value, as a plain Python object; or a list of several.

        Args:
            rng: What to draw from; by default from numpy's global generator, as ``numpy.random.seed`` set it.
            size: How many values.
        """
        rng = global_generator() if rng is None else rng
        return self.draw(rng) if size == 1 else [self.draw(rng) for _ in range(size)]

    def func(self, spec: object = None) -> Any:
        """Draw a value: what :meth:`sample` was called in Ray until 2020, where it was given a spec."""
        del spec
        return self.sample()

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Any:
        """Draw one value from a generator."""

    @abstractmethod
    def contains(self, value: object) -> bool:
        """Whether ``value`` lies in the domain."""


@final
@dataclass(frozen=True, slots=True, repr=False)
class Choice(Domain):
    """One of several values without an order, each equally likely.

    A category may be a space itself: a domain, or a dict or list with domains in it. ``draw``
    gives such a category as it stands; `resolve` draws what is in it.
    """

    categories: Sequence[Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "categories", _options("choice", self.categories))

    def __repr__(self) -> str:
        return f"choice({list(self.categories)!r})"

    def draw(self, rng: np.random.Generator) -> Any:
        """Draw a category."""
        return self.categories[int(rng.integers(len(self.categories)))]

    def contains(self, value: object) -> bool:
        """Whether ``value`` is a category, or can be drawn from one that is a space itself."""
        return any(_fits(category, value) for category in self.categories)


@final
@dataclass(frozen=True, slots=True, repr=False)
class Ordinal(Domain):
    """One of several values whose order means something, each equally likely."""

    values: Sequence[Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", _options("ordinal", self.values))

    def __repr__(self) -> str:
        return f"ordinal({list(self.values)!r})"

    def draw(self, rng: np.random.Generator) -> Any:
        """Draw a value."""
        return self.values[int(rng.integers(len(self.values)))]

    def contains(self, value: object) -> bool:
        """Whether ``value`` is one of the values."""
        return any(_fits(own, value) for own in self.values)

    def step(self, value: object, direction: Literal[-1, 1]) -> Any:
        """Give the neighbour of ``value``, or ``value`` itself at that edge.

        Args:
            value: One of the values.
            direction: -1 for the neighbour on the left, 1 for the one on the right.

        Raises:
            ConfigurationError: If ``value`` is not one of the values.
        """
        if direction not in {-1, 1}:
            raise ConfigurationError(f"direction must be -1 or 1, got {direction!r}.")
        for place, own in enumerate(self.values):
            if _fits(own, value):
                return self.values[min(max(place + direction, 0), len(self.values) - 1)]
        raise ConfigurationError(
            f"step needs one of the values of {self!r}, got {value!r}: sample a value instead."
        )


@final
@dataclass(frozen=True, slots=True, repr=False)
class SampleFrom:
    """A value that the user's function computes, from the rest of the config if it likes."""

    function: Callable[..., Any]
    takes_spec: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "takes_spec", _takes_one_argument(self.function))

    def __repr__(self) -> str:
        return f"sample_from({getattr(self.function, '__qualname__', self.function)})"

    def __deepcopy__(self, memo: object) -> SampleFrom:
        """Return itself: a method's object is the user's own, and is not to be copied with the space."""
        return self

    def compute(self, spec: object) -> Any:
        """Call the function, with ``spec`` if it takes an argument."""
        return self.function(spec) if self.takes_spec else self.function()

    def sample(self, size: int = 1) -> Any:
        """Compute a value outside a space, for a function that reads nothing of the config; or several."""
        return self.compute({}) if size == 1 else [self.compute({}) for _ in range(size)]

    def func(self, spec: object = None) -> Any:
        """Compute a value: what :meth:`sample` was called in Ray until 2020, where it was given a spec."""
        return self.compute(spec)


@final
@dataclass(frozen=True, slots=True, repr=False)
class GridSearch:
    """Values that are all tried, each in trials of its own."""

    values: Sequence[Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", _options("grid_search", self.values))

    def __repr__(self) -> str:
        return f"grid_search({list(self.values)!r})"


def _options(owner: str, values: object) -> tuple[Any, ...]:
    if _is_array(values):
        values = values.tolist()
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        raise ConfigurationError(f"{owner} needs a list of values, got {values!r}: write {owner}([...]).")
    if not values:
        raise ConfigurationError(
            f"{owner} needs at least one value, got {values!r}: add a value, or drop the entry."
        )
    return tuple(_plain(value) for value in values)


def _plain(value: Any) -> Any:
    """A numpy scalar as the plain value that it holds; numpy itself is not imported for the question."""
    numpy = sys.modules.get("numpy")
    return value.item() if numpy is not None and isinstance(value, numpy.generic) else value


def _is_array(value: object) -> TypeGuard[np.ndarray[Any, Any]]:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def _takes_one_argument(function: object) -> bool:
    if not callable(function):
        raise ConfigurationError(
            f"sample_from needs a function, got {function!r}: write sample_from(lambda spec: ...)."
        )
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # some compiled functions do not say: they cannot know of a spec
        return False
    required = [
        parameter
        for parameter in parameters
        if parameter.default is parameter.empty
        and parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
    ]
    if len(required) > 1 or any(p.kind is p.KEYWORD_ONLY for p in required):
        raise ConfigurationError(
            f"sample_from needs a function of one argument, the spec, or of none, got one that "
            f"requires {', '.join(p.name for p in required)}: give the others defaults."
        )
    return bool(required)


def _fits(option: object, value: object) -> bool:
    match option:
        case Domain():
            return option.contains(value)
        case SampleFrom():
            return True
        case Mapping():
            return (
                isinstance(value, Mapping)
                and option.keys() == value.keys()
                and all(_fits(option[key], value[key]) for key in option)
            )
        case list() | tuple():
            return (
                isinstance(value, list | tuple)
                and len(option) == len(value)
                and all(map(_fits, option, value))
            )
        case _:
            return same(_plain(option), _plain(value))
