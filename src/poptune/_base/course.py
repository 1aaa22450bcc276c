"""Hyperparameters that move while a trial trains: straight between points, in the domain's own scale."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from msgspec import Struct

from poptune._base.types import Config

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


@dataclass(slots=True)
class Line:
    """A straight part of a curve, from one time up to another."""

    begin: float
    end: float
    level: float
    """Where it begins, on the curve's scale."""
    slope: float
    out_of: Callable[[float], float]
    whole: bool
    q: float | None

    def at(self, time: float) -> float:
        """Return the value at a time that it covers."""
        level = self.level + self.slope * (time - self.begin) if self.slope else self.level
        value = self.out_of(level)
        if self.q is not None:
            value = round(value / self.q) * self.q
        return round(value) if self.whole else value


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
        return self.line(time).at(time)

    def line(self, time: float) -> Line:
        """Return the straight part that a time is in."""
        place = bisect_right(self.points, time, key=_time)
        begin, low = self.points[place - 1] if place else (-math.inf, self.points[0][1])
        end, high = self.points[place] if place < len(self.points) else (math.inf, low)
        into, out_of = _SCALES[self.scale]
        is_level = low == high or place == 0
        slope = 0.0 if is_level else (into(high) - into(low)) / (end - begin)
        if is_level:
            into = out_of = float
        return Line(begin, end, into(low), slope, out_of, self.whole, self.q)

    def problem(self) -> str:
        """Return what is wrong with it; empty if nothing is."""
        times = [time for time, _ in self.points]
        if not times or any(later <= earlier for earlier, later in pairwise(times)):
            return f"the times of its points must rise, got {times}"
        numbers = [number for point in self.points for number in point]
        if not math.isfinite(max(numbers) - min(numbers)) or any(map(math.isnan, numbers)):
            return f"its points must be finite, got {list(self.points)}"
        if self.q is not None and not 0 < self.q < math.inf:
            return f"q must be a number above 0, got {self.q!r}"
        values = [value for _, value in self.points]
        if self.scale == "log" and min(values) <= 0:
            return f"on a log scale its values must be positive, got {values}"
        if self.scale == "discount" and max(values) >= 1:
            return f"on a discount scale its values must be below 1, got {values}"
        return ""


Course = Mapping[str, Curve]
"""The curves of those hyperparameters that move, by dotted path."""


class Moving:
    """The values of a course at one time after the other, reckoned fast."""

    def __init__(self, course: Course) -> None:
        self._lines = {path: curve.line(-math.inf) for path, curve in course.items()}
        self._course = course

    def at(self, time: float) -> dict[str, float]:
        """Return the values at a time, by dotted path."""
        return {
            path: (line if line.begin <= time < line.end else self._turn(path, time)).at(time)
            for path, line in self._lines.items()
        }

    def _turn(self, path: str, time: float) -> Line:
        line = self._lines[path] = self._course[path].line(time)
        return line


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
