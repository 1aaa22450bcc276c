"""Hyperparameters that move while a trial trains: straight between points, in the domain's own scale."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Literal

from msgspec import Struct

from poptune.types import Config

Scale = Literal["linear", "log", "discount"]
Point = tuple[float, float]


def _far_from_one(value: float) -> float:
    return -math.log1p(-value)


def _near_one(value: float) -> float:
    return -math.expm1(-value)


_SCALES: dict[Scale, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "linear": (float, float),
    "log": (math.log, math.exp),
    "discount": (_far_from_one, _near_one),
}
"""Into each scale and out of it: *discount* is the logarithm of the distance to 1."""


class Curve(Struct, frozen=True, kw_only=True):
    """One hyperparameter over the time attribute.

    Args:
        points: Pairs (time, value), the times rising. Before the first and after the last it stays level.
        scale: What is straight between two points: the value, its logarithm, or that of 1 - value.
        whole: Whether values are whole numbers.
        q: Values are multiples of this.

    Example:
        >>> halving = Curve(points=((0, 0.1), (10, 0.001)), scale="log")
        >>> [round(halving.at(time), 6) for time in (-1, 0, 5, 10, 20)]
        [0.1, 0.1, 0.01, 0.001, 0.001]
    """

    points: tuple[Point, ...]
    scale: Scale = "linear"
    whole: bool = False
    q: float | None = None

    def at(self, time: float) -> float:
        """Return the value at a time."""
        place = bisect_right(self.points, time, key=_time)
        if place in {0, len(self.points)}:
            return self._rounded(self.points[min(place, len(self.points) - 1)][1])
        (before, low), (after, high) = self.points[place - 1], self.points[place]
        into, out_of = _SCALES[self.scale]
        share = (time - before) / (after - before)
        return self._rounded(out_of(into(low) + share * (into(high) - into(low))))

    def _rounded(self, value: float) -> float:
        if self.q is not None:
            value = round(value / self.q) * self.q
        return round(value) if self.whole else float(value)

    def problem(self) -> str:
        """Return what is wrong with it; empty if nothing is."""
        times = [time for time, _ in self.points]
        if not times or any(later <= earlier for earlier, later in pairwise(times)):
            return f"the times of its points must rise, got {times}"
        numbers = [number for point in self.points for number in point]
        if not all(math.isfinite(number) for number in numbers):
            return f"its points must be finite, got {list(self.points)}"
        values = [value for _, value in self.points]
        if self.scale == "log" and min(values) <= 0:
            return f"on a log scale its values must be positive, got {values}"
        if self.scale == "discount" and max(values) >= 1:
            return f"on a discount scale its values must be below 1, got {values}"
        return ""


Course = Mapping[str, Curve]
"""The curves of those hyperparameters that move, by dotted path."""


def present(config: Config, course: Course | None, time: float) -> Config:
    """Return a config with what moves at its value at a time; the config itself stays as it is.

    Example:
        >>> curve = Curve(points=((0, 0.0), (10, 1.0)))
        >>> present({"optimizer": {"lr": 0.0}, "depth": 3}, {"optimizer.lr": curve}, 5)
        {'optimizer': {'lr': 0.5}, 'depth': 3}
    """
    return with_values(config, {path: curve.at(time) for path, curve in course.items()}) if course else config


def with_values(config: Config, values: Mapping[str, float]) -> Config:
    """Return a config with other values at these dotted paths; the config itself stays as it is."""
    for path, value in values.items():
        config = _with(config, path.split("."), value)
    return config


def problems(course: Course, config: Config) -> Iterator[str]:
    """Return what is wrong with a course that goes with a config."""
    for path, curve in course.items():
        value = _value_at(config, path.split("."))
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield f"the config must have a number at {path!r}, so that it can move, got {value!r}"
        if found := curve.problem():
            yield f"the course of {path!r} cannot be followed: {found}"


def _time(point: Point) -> float:
    return point[0]


def _with(config: Config, keys: list[str], value: Any) -> Config:
    key, *rest = keys
    return {**config, key: _with(config[key], rest, value) if rest else value}


def _value_at(config: Any, keys: list[str]) -> Any:
    for key in keys:
        config = config.get(key) if isinstance(config, Mapping) else None
    return config
