"""The text of a ``pbt_policy_*.txt``, read as the schedule that it records.

A line is ``[target tag, donor tag, target iteration, donor iteration, donor's config, new config]``. A value
that is no JSON stands there as ``{"$object": "<function relu at 0x7f10>"}``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from poptune.core.schedule import Schedule
from poptune.core.unopened import UnopenedObject
from poptune.errors import ConfigurationError
from poptune.types import Config

_SHOWN = 200
"""How much of a line an error shows."""


@dataclass(frozen=True, slots=True)
class _Row:
    target: str
    donor: str
    donor_iteration: int
    donor_config: Config
    new_config: Config


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
    changes = {0: lineage[0].donor_config} | {row.donor_iteration: row.new_config for row in lineage}
    return Schedule(sorted(changes.items(), key=lambda change: change[0]))


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
        case [str(target), str(donor), int() | float(), int(at), dict(old), dict(new)] if at >= 0:
            return _Row(target, donor, at, old, new)
    raise ConfigurationError(
        f"{where} must be [target, donor, target iteration, donor iteration, donor's config, new config], "
        f"got {line[:_SHOWN]!r}"
    )
