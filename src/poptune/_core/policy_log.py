"""The text of a ``pbt_policy_*.txt``, read as the schedule that it records.

A line is ``[target tag, donor tag, target iteration, donor iteration, donor's config, new config]``, and
where a config moves, ``{"course": {...}, "donor_course": {...}, "time_attr": "training_iteration"}``. A value
that is no JSON stands there as ``{"$object": "<function relu at 0x7f10>"}``.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Struct

from poptune._base.course import Course, Curve, present, problems
from poptune._base.equality import same
from poptune._base.types import Config
from poptune._core.schedule import Schedule
from poptune._core.unopened import UnopenedObject
from poptune.errors import ConfigurationError

_MOST_ITERATIONS = 200_000
"""Of each that a config moves in there is one in memory."""
_SHOWN = 200
"""How much of a line an error shows."""


@dataclass(frozen=True, slots=True)
class _Row:
    target: str
    donor: str
    donor_iteration: int
    donor_config: Config
    new_config: Config
    donor_course: Course
    course: Course


def read_policy(text: str, *, name: str = "the policy") -> Schedule:
    """Return the schedule along the lineage that a policy log ends with.

    The lines are walked backwards as long as a line's target is the donor of the later one. The first config
    is the earliest of these lines' donor config; each new config is applied at its donor iteration, and of
    several at one iteration the last counts.

    Args:
        text: What the file holds.
        name: What the text is called in errors.

    Raises:
        ConfigurationError: The text is empty, or a line is malformed; the message shows it.
    """
    rows = [
        _row(line, f"line {number} of {name}")
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip()
    ]
    if not rows:
        raise ConfigurationError(
            f"A policy to replay must hold at least one perturbation, but {name} is empty: a trial that "
            "never copied another has a constant schedule, PopulationBasedTrainingReplay(result.schedule)"
        )
    lineage = rows[-1:]
    for row in reversed(rows[:-1]):
        if row.target != lineage[0].donor:
            break
        lineage.insert(0, row)
    first = lineage[0]
    ends = [row.donor_iteration for row in lineage]
    changes = _moves(0, first.donor_config, first.donor_course, ends[0])
    for row, end in zip(lineage, [*ends[1:], None], strict=True):
        changes |= _moves(row.donor_iteration, row.new_config, row.course, end)
    return Schedule(sorted(changes.items(), key=lambda change: change[0]))


def _moves(begin: int, config: Config, course: Course, end: int | None) -> dict[int, Config]:
    """The config from one iteration on, and what it moves to up to another, or to the end of its course."""
    last = max((math.ceil(curve.points[-1][0]) for curve in course.values()), default=begin)
    stop = last + 1 if end is None else min(end, last + 1)
    if stop - begin > _MOST_ITERATIONS:
        raise ConfigurationError(
            f"The courses of a policy file must end within {_MOST_ITERATIONS} iterations, got one from "
            f"{begin} to {last}: replay the schedule of the result, "
            "PopulationBasedTrainingReplay(result.schedule)"
        )
    configs = {at: present(config, course, at) for at in range(begin, max(stop, begin + 1))}
    return {at: now for at, now in configs.items() if at == begin or not same(now, configs[at - 1])}


def _tagged(value: dict[str, Any]) -> Any:
    match value:
        case {"$object": str(text)} if len(value) == 1:
            return UnopenedObject(text)
    return value


def _row(line: str, where: str) -> _Row:
    try:
        parts = json.loads(line, object_hook=_tagged)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{where} must be a JSON list, got {line[:_SHOWN]!r} ({error})") from error
    match parts:
        case [str(target), str(donor), int() | float(), int(at), dict(old), dict(new), *rest] if at >= 0:
            before, after = _courses(rest, old, new, where)
            return _Row(target, donor, at, old, new, before, after)
    raise ConfigurationError(
        f"{where} must be [target, donor, target iteration, donor iteration, donor's config, new config], "
        f"got {line[:_SHOWN]!r}"
    )


def _courses(rest: list[Any], old: Config, new: Config, where: str) -> tuple[Course, Course]:
    """Return how the donor's config and the new one move, from what a line has beyond them."""
    if not rest:
        return {}, {}
    try:
        moving = msgspec.convert(rest, tuple[_Moving])[0]
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{where} must end with how its configs move ({error})") from error
    courses = moving.donor_course or {}, moving.course or {}
    for problem in (*problems(courses[0], old), *problems(courses[1], new)):
        raise ConfigurationError(f"{where} must hold courses that can be followed: {problem}")
    if moving.time_attr != "training_iteration":
        raise ConfigurationError(
            "A policy file whose configs move can be replayed if they move with the training_iteration, but "
            f"in {where} they do with {moving.time_attr!r}: replay the schedule of the result, "
            "PopulationBasedTrainingReplay(result.schedule)"
        )
    return courses


class _Moving(Struct, frozen=True):
    course: dict[str, Curve] | None
    donor_course: dict[str, Curve] | None
    time_attr: str
