"""Domains of numbers.

A grid (``q``) is reckoned with the decimals that the user wrote, so that a tenth is a tenth: the
third multiple of 0.1 is 0.3, not 0.30000000000000004.
"""

from __future__ import annotations

import math
import sys
from abc import abstractmethod
from dataclasses import KW_ONLY, dataclass, field
from fractions import Fraction
from numbers import Integral, Real
from typing import TYPE_CHECKING, TypeGuard, TypeVar, final

from poptune.errors import ConfigurationError
from poptune.search_space.domains import Domain

if TYPE_CHECKING:
    import numpy as np

Number = TypeVar("Number", int, float)


class Numeric(Domain):
    """A domain of numbers between two bounds, which belong to it; the bounds may be infinite."""

    __slots__ = ()

    lower: float
    upper: float

    @abstractmethod
    def clip(self, value: float) -> float:
        """Give the member of the domain that is nearest to ``value``, in the domain's own type."""


@final
@dataclass(frozen=True, slots=True, repr=False)
class Float(Numeric):
    """Floats in [lower, upper], even on the linear or the logarithmic scale.

    With ``q`` only the multiples of q that lie within the bounds. Each of them stands for the
    interval of width q around it, so that the outermost are as likely as any other.
    """

    lower: float
    upper: float
    _: KW_ONLY
    log: bool = False
    q: float | None = None

    def __post_init__(self) -> None:
        lower, upper = sorted(_finite(self._name, bound) for bound in (self.lower, self.upper))
        object.__setattr__(self, "lower", lower)
        object.__setattr__(self, "upper", upper)
        if self.log and lower <= 0:
            raise _not_positive(self, linear=self._name.replace("log", ""))
        if self.q is not None:
            object.__setattr__(self, "q", _above_zero(self._name, "q", _finite(self._name, self.q)))
            _check_holds_multiple(self, _multiples(lower, upper, self.q))

    @property
    def _name(self) -> str:
        return _constructor("uniform", log=self.log, q=self.q)

    def __repr__(self) -> str:
        return _call(self._name, self.lower, self.upper, self.q)

    def draw(self, rng: np.random.Generator) -> float:
        """Draw a float."""
        lower, upper = self.lower, self.upper
        if self.q is not None:
            lower, upper = _outer_edges(_multiples(lower, upper, self.q), self.q)
        return self.clip(_between(rng, lower, upper, log=self.log))

    def contains(self, value: object) -> bool:
        """Whether ``value`` is a number within the bounds and, to a millionth of q, on the grid."""
        if not _is_number(value) or not self.lower <= value <= self.upper:
            return False
        return self.q is None or abs(float(value) - self.clip(value)) <= 1e-6 * self.q

    def clip(self, value: float) -> float:
        """Give the float of the domain that is nearest to ``value``."""
        value = _finite(self._name, value)
        if self.q is None:
            return min(max(value, self.lower), self.upper)
        return float(_nearest(value, _multiples(self.lower, self.upper, self.q), self.q))


@final
@dataclass(frozen=True, slots=True, repr=False)
class Integer(Numeric):
    """Integers in [lower, upper], both included, even on the linear or the logarithmic scale.

    With ``q`` only the multiples of q. On the logarithmic scale each value stands for the interval
    that rounds to it.
    """

    lower: int
    upper: int
    _: KW_ONLY
    log: bool = False
    q: int | None = None

    def __post_init__(self) -> None:
        lower, upper = sorted(whole_number(self._name, bound) for bound in (self.lower, self.upper))
        object.__setattr__(self, "lower", lower)
        object.__setattr__(self, "upper", upper)
        if self.log and lower <= 0:
            raise _not_positive(self, linear=self._name.replace("log", ""))
        if self.q is not None:
            q = _above_zero(self._name, "q", whole_number(self._name, self.q))
            object.__setattr__(self, "q", q)
        _check_holds_multiple(self, _multiples(lower, upper, self._step))

    @property
    def _name(self) -> str:
        return _constructor("randint", log=self.log, q=self.q)

    @property
    def _step(self) -> int:
        return 1 if self.q is None else self.q

    def __repr__(self) -> str:
        written_upper = self.upper + 1 if self.q is None else self.upper
        return _call(self._name, self.lower, written_upper, self.q)

    def draw(self, rng: np.random.Generator) -> int:
        """Draw an int."""
        multiples = _multiples(self.lower, self.upper, self._step)
        if self.log:
            return self.clip(_between(rng, *_outer_edges(multiples, self._step), log=True))
        return int(rng.integers(multiples[0], multiples[-1], endpoint=True)) * self._step

    def contains(self, value: object) -> bool:
        """Whether ``value`` is an integer, not a float or bool, of the domain."""
        if isinstance(value, bool) or not isinstance(value, Integral):
            return False
        return self.lower <= int(value) <= self.upper and int(value) % self._step == 0

    def clip(self, value: float) -> int:
        """Give the int of the domain that is nearest to ``value``."""
        if self.contains(value):
            return int(value)
        multiples = _multiples(self.lower, self.upper, self._step)
        return int(_nearest(_finite(self._name, value), multiples, self._step))


@final
@dataclass(frozen=True, slots=True, repr=False)
class Normal(Numeric):
    """Normally distributed floats; with ``q`` rounded to multiples of q."""

    mean: float
    sd: float
    _: KW_ONLY
    q: float | None = None
    lower: float = field(init=False, default=-math.inf)
    upper: float = field(init=False, default=math.inf)

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", _finite(self._name, self.mean))
        object.__setattr__(self, "sd", _above_zero(self._name, "sd", _finite(self._name, self.sd)))
        if self.q is not None:
            object.__setattr__(self, "q", _above_zero(self._name, "q", _finite(self._name, self.q)))

    @property
    def _name(self) -> str:
        return _constructor("randn", log=False, q=self.q)

    def __repr__(self) -> str:
        return _call(self._name, self.mean, self.sd, self.q)

    def draw(self, rng: np.random.Generator) -> float:
        """Draw a float."""
        return self.clip(float(rng.normal(self.mean, self.sd)))

    def contains(self, value: object) -> bool:
        """Whether ``value`` is a finite number and, to a millionth of q, on the grid."""
        if not _is_finite(value):
            return False
        return self.q is None or abs(float(value) - self.clip(value)) <= 1e-6 * self.q

    def clip(self, value: float) -> float:
        """Give the float of the domain that is nearest to ``value``: only ``q`` can change it."""
        value = _finite(self._name, value)
        if self.q is None:
            return value
        step = _as_written(self.q)
        return float(round(Fraction(value) / step) * step)


def whole_number(owner: str, value: object) -> int:
    """Give ``value`` as an int if it is one of at most 62 bits, or a float such as 1e3."""
    number = _finite(owner, value)
    if not number.is_integer():
        raise ConfigurationError(
            f"{owner} needs whole numbers, got {value!r}: round it, or use "
            f"{owner.replace('randint', 'uniform')}."
        )
    exact = int(value) if isinstance(value, Integral) else int(number)
    if not -(2**62) <= exact <= 2**62:
        raise ConfigurationError(
            f"{owner} needs numbers of at most 62 bits, got {value!r}: use "
            f"{owner.replace('randint', 'uniform')}."
        )
    return exact


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_finite(value: object) -> TypeGuard[float]:
    return _is_number(value) and abs(value) <= sys.float_info.max


def _finite(owner: str, value: object) -> float:
    if not _is_finite(value):
        raise ConfigurationError(
            f"{owner} needs finite numbers, got {value!r}: write a number such as 0.1 or 10."
        )
    return float(value)


def _above_zero(owner: str, what: str, value: Number) -> Number:
    if value <= 0:
        raise ConfigurationError(f"{owner} needs {what} above 0, got {value!r}: raise {what}.")
    return value


def _not_positive(domain: Numeric, *, linear: str) -> ConfigurationError:
    return ConfigurationError(
        f"A logarithmic scale needs bounds above 0, got {domain!r}: raise the lower bound, or use {linear}."
    )


def _check_holds_multiple(domain: Numeric, multiples: range) -> None:
    if not multiples:
        raise ConfigurationError(
            f"The range must hold a multiple of q, got {domain!r}: widen the range or lower q."
        )


def _constructor(stem: str, *, log: bool, q: float | None) -> str:
    return f"{'q' if q is not None else ''}{'log' if log else ''}{stem}"


def _call(name: str, *arguments: float | None) -> str:
    shown = [repr(value).removesuffix(".0") for value in arguments if value is not None]
    return f"{name}({', '.join(shown)})"


def _between(rng: np.random.Generator, lower: float, upper: float, *, log: bool) -> float:
    share = float(rng.random())
    if log:
        return math.exp(math.log(lower) * (1 - share) + math.log(upper) * share)
    return lower * (1 - share) + upper * share


def _as_written(number: float) -> Fraction:
    """The decimal fraction that a float is written as, not the binary one that it is."""
    return Fraction(repr(number))


def _multiples(lower: float, upper: float, q: float) -> range:
    """Every whole number k for which k * q lies in [lower, upper]."""
    step = _as_written(q)
    first = math.ceil(_as_written(lower) / step)
    last = math.floor(_as_written(upper) / step)
    return range(first, last + 1)


def _nearest(value: float, multiples: range, q: float) -> Fraction:
    step = _as_written(q)
    return min(max(round(Fraction(value) / step), multiples[0]), multiples[-1]) * step


def _outer_edges(multiples: range, q: float) -> tuple[float, float]:
    """Half a step outside the outermost multiples, where the intervals that round to them end."""
    step = _as_written(q)
    half = step / 2
    return float(multiples[0] * step - half), float(multiples[-1] * step + half)
