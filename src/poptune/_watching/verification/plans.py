"""Two plans, compared as the journal would keep them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from poptune._base.equality import same
from poptune._base.types import Config, TrialId
from poptune._core.events import Planned
from poptune._core.scheduler import Plan
from poptune._core.unopened import without_addresses
from poptune._keeping.journal import ObjectTable
from poptune._keeping.journal.records import decode, encode
from poptune._watching.verification.verdict import Difference


def differences(event: int, journaled: Plan, settled: Plan) -> Iterator[Difference]:
    """Return where two plans for the same trials differ.

    Values that are no JSON, such as functions, are the same where :func:`poptune._base.equality.same` says
    so, and not where they only look the same.
    """
    table = ObjectTable()
    theirs, ours = _by_trial(journaled, table), _by_trial(settled, table)
    for trial, decision in theirs.items():
        for part, value in decision.items():
            again = ours.get(trial, {}).get(part)
            if _compared(value) != _compared(again):
                yield Difference(event, trial, part, _shown(value), _shown(again))
    for part in ("warnings", "pin", "unpin", "retire"):
        mine, again = getattr(journaled, part), getattr(settled, part)
        if mine != again:
            yield Difference(event, None, part, mine, again)
    if not same(_born(journaled), _born(settled)):
        yield Difference(event, None, "spawn", _born(journaled), _born(settled))


def _born(plan: Plan) -> dict[TrialId, Config]:
    """What trials are born with; their names may be the user's own."""
    return {spec.id: spec.config for spec in plan.spawn}


def _by_trial(plan: Plan, table: ObjectTable) -> dict[TrialId, dict[str, Any]]:
    (record,) = encode([Planned(plan=plan)], table)
    (record,) = encode(decode(record, table), table)  # once more, since a float may have been an int
    written = msgspec.json.decode(record.payload)["plan"]["decisions"]["$tuple"]
    return {decision.trial: one for decision, one in zip(plan.decisions, written, strict=True)}


def _compared(value: Any) -> bytes:
    """Return what is the same JSON for two values that are the same: 1 is not 1.0, nor True."""
    return msgspec.json.encode(_with_objects(value, lambda one: one["$object"]), order="sorted")


def _shown(value: Any) -> Any:
    return _with_objects(value, lambda one: without_addresses(one["text"]))


def _with_objects(value: Any, shown: Callable[[dict[str, Any]], Any]) -> Any:
    """Return the value with something in the place of each object."""
    if isinstance(value, list):
        return [_with_objects(item, shown) for item in value]
    if not isinstance(value, dict):
        return value
    if "$object" in value:
        return {"$object": shown(value)}
    return {key: _with_objects(item, shown) for key, item in value.items()}
