"""``ray.tune.search.sample``: the domains. Those on a logarithmic scale take a base, which has no effect."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from typing import Any

import poptune
from poptune import grid_search, qrandint, qrandn, quniform, randint, randn, sample_from, uniform
from poptune.compat.ray._arguments import set_aside
from poptune.search_space import Choice as Categorical
from poptune.search_space import Domain, Float, Integer

__all__ = [
    "Categorical",
    "Domain",
    "Float",
    "Integer",
    "choice",
    "grid_search",
    "lograndint",
    "loguniform",
    "qlograndint",
    "qloguniform",
    "qrandint",
    "qrandn",
    "quniform",
    "randint",
    "randn",
    "sample_from",
    "uniform",
]


def choice(categories: Iterable[Any]) -> Categorical:
    """One of several values, which a generator may give, too."""
    values: Any = categories if isinstance(categories, Sized) else list(categories)
    return poptune.choice(values)


def loguniform(lower: float, upper: float, base: float | None = None) -> Float:
    """Floats between two bounds above 0, each order of magnitude equally likely."""
    _set_base_aside("loguniform", base)
    return poptune.loguniform(lower, upper)


def qloguniform(lower: float, upper: float, q: float, base: float | None = None) -> Float:
    """Multiples of ``q`` between two bounds above 0, on the logarithmic scale."""
    _set_base_aside("qloguniform", base)
    return poptune.qloguniform(lower, upper, q)


def lograndint(lower: int, upper: int, base: float | None = None) -> Integer:
    """Integers from one bound up to, but not including, the other, on the logarithmic scale."""
    _set_base_aside("lograndint", base)
    return poptune.lograndint(lower, upper)


def qlograndint(lower: int, upper: int, q: int, base: float | None = None) -> Integer:
    """Multiples of ``q`` between two bounds above 0, the upper included, on the logarithmic scale."""
    _set_base_aside("qlograndint", base)
    return poptune.qlograndint(lower, upper, q)


def _set_base_aside(owner: str, base: float | None) -> None:
    set_aside(owner, {"base": base}, {"base": "the distribution is the same for every base"})
