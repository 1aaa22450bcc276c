"""A schedule's changes that follow each other closely, as a course: so many milestones would be in vain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from poptune._base.course import Course, Curve
from poptune._base.equality import same
from poptune._base.nested import flatten
from poptune._core.schedule import Change

Stretch = tuple[int, Course | None]
"""From which iteration on, and how the config moves there, if it does."""
_FEWEST = 3
"""So many changes, one an iteration, make a course; fewer are steps."""


def stretches(changes: Sequence[Change]) -> list[Stretch]:
    """Return where a trial that follows a schedule is given a config, and how that moves.

    Example:
        >>> changes = [(0, {"lr": 0.8}), (1, {"lr": 0.6}), (2, {"lr": 0.4}), (7, {"lr": 0.1})]
        >>> [(at, course and course["lr"].points) for at, course in stretches(changes)]
        [(0, ((0.0, 0.8), (1.0, 0.6), (2.0, 0.4))), (7, None)]
    """
    return [
        stretch
        for run in _runs(changes)
        for stretch in ([(at, None) for at, _ in run] if len(run) < _FEWEST else [(run[0][0], _course(run))])
    ]


def _runs(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """Group changes of which each follows the one before by an iteration, in numbers only."""
    run = [changes[0]]
    for before, change in pairwise(changes):
        if change[0] != before[0] + 1 or _moved(before[1], change[1]) is None:
            yield run
            run = []
        run.append(change)
    yield run


def _moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str] | None:
    """Return the paths of what differs; ``None`` if that is more than numbers."""
    one, other = flatten(before), flatten(after)
    if one.keys() != other.keys():
        return None
    paths = {path for path, value in other.items() if not same(value, one[path])}
    numbers = all(type(values[path]) in {int, float} for path in paths for values in (one, other))
    return paths if numbers and not any("." in path for path in paths) else None


def _course(run: Sequence[Change]) -> Course:
    moving = {path for (_, one), (_, other) in pairwise(run) for path in _moved(one, other) or ()}
    return {path.replace("/", "."): _curve(path, run) for path in sorted(moving)}


def _curve(path: str, run: Sequence[Change]) -> Curve:
    values = [(at, flatten(config)[path]) for at, config in run]
    whole = all(type(value) is int for _, value in values)
    return Curve(points=tuple((float(at), float(value)) for at, value in values), whole=whole)
