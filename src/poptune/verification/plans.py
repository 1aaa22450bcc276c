"""Two plans, compared as the journal would keep them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from poptune.core.events import Planned
from poptune.core.scheduler import Plan
from poptune.journal import ObjectTable
from poptune.journal.records import decode, encode
from poptune.types import TrialId
from poptune.verification.verdict import Difference

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def differences(event: int, journaled: Plan, settled: Plan) -> Iterator[Difference]:
    """Return where two plans for the same trials differ.

    Values that are no JSON, such as classes, are the same where they look the same.
    """
    theirs, ours = _by_trial(journaled), _by_trial(settled)
    for trial, decision in theirs.items():
        for part, value in decision.items():
            again = ours[trial][part]
            if not _same(value, again):
                yield Difference(event, trial, part, value, again)
    if journaled.warnings != settled.warnings:
        yield Difference(event, None, "warnings", journaled.warnings, settled.warnings)


def _by_trial(plan: Plan) -> dict[TrialId, dict[str, Any]]:
    table = ObjectTable()
    (record,) = encode([Planned(plan=plan)], table)
    (record,) = encode(decode(record, table), table)  # once more, since a float may have been an int
    written = msgspec.json.decode(record.payload)["plan"]["decisions"]["$tuple"]
    return {decision.trial: _shown(one) for decision, one in zip(plan.decisions, written, strict=True)}


def _shown(value: Any) -> Any:
    """Return the value with each object's text in its place, without addresses."""
    if isinstance(value, list):
        return [_shown(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$object" in value:
        return _ADDRESS.sub("", str(value["text"]))
    return {key: _shown(item) for key, item in value.items()}


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: 1 is not 1.0, nor True."""
    return msgspec.json.encode(one, order="sorted") == msgspec.json.encode(other, order="sorted")
