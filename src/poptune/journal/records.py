"""Events as versioned records: a kind, a version and a JSON payload. No pickle.

Non-finite numbers, texts that are no Unicode, tuples and values that are no JSON are tagged:
``{"$float": "nan"}``, ``{"$utf16": "fffe80dc"}``, ``{"$tuple": [...]}``,
``{"$object": 3, "text": "<class 'Adam'>"}``. A dict whose keys could be mistaken for
a tag is written as ``{"$dict": [[key, value], ...]}``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from poptune.core.events import (
    Completed,
    Created,
    Event,
    Failed,
    Forgotten,
    Left,
    Planned,
    PopulationStopped,
    Reported,
    ResidentsLimited,
    Restarted,
    Resumed,
    Returned,
    TrialSpec,
)
from poptune.core.scheduler import CheckpointRef, Decision, End, Keep, Load, Plan, Run
from poptune.errors import JournalError
from poptune.journal.objects import Objects
from poptune.types import TrialStatus

VERSION = 1
_KINDS: dict[str, type[Any]] = {
    "created": Created,
    "reported": Reported,
    "returned": Returned,
    "failed": Failed,
    "population_stopped": PopulationStopped,
    "residents_limited": ResidentsLimited,
    "resumed": Resumed,
    "planned": Planned,
    "restarted": Restarted,
    "left": Left,
    "forgotten": Forgotten,
    "completed": Completed,
}
_KIND_OF = {cls: kind for kind, cls in _KINDS.items()}
_LARGEST = 2**63


@dataclass(frozen=True, slots=True)
class Record:
    """One event as the journal keeps it."""

    kind: str
    version: int
    trial: str | None
    payload: bytes


def encode(event: Event, objects: Objects) -> Record:
    """Return an event as a record; values that are no JSON get a number in ``objects``."""
    payload = msgspec.json.encode(_pack(event, objects))
    return Record(_KIND_OF[type(event)], VERSION, getattr(event, "trial", None), payload)


def decode(record: Record, objects: Objects) -> Event:
    """Return the event that a record keeps.

    Raises:
        JournalError: The record is of a newer version, of an unknown kind, or malformed.
    """
    if record.version > VERSION or record.kind not in _KINDS:
        raise JournalError(
            f"The journal holds a record {record.kind!r} of version {record.version}, but this poptune reads "
            f"versions up to {VERSION}: open it with the poptune that wrote it, or a newer one"
        )
    try:
        fields = _unpack(msgspec.json.decode(record.payload), objects)
        build = _BUILD.get(record.kind)
        return build(fields) if build else _KINDS[record.kind](**fields)
    except (msgspec.DecodeError, TypeError, KeyError, ValueError, AttributeError) as error:
        raise JournalError(f"The journal holds a malformed record {record.kind!r}: {error}") from error


def _pack(value: Any, objects: Objects) -> Any:
    """Return a value as what JSON can hold."""
    kind = type(value)
    if _is_json(value):
        return value
    if kind is str:
        return {"$utf16": value.encode("utf-16", "surrogatepass").hex()}
    if kind is float:
        return {"$float": repr(value)}
    if kind is dict:
        return _pack_dict(value, objects)
    if kind is list:
        return [_pack(item, objects) for item in value]
    if kind is tuple:
        return {"$tuple": [_pack(item, objects) for item in value]}
    if (plain := _plain(value)) is not value:
        return _pack(plain, objects)
    if kind in _STRUCTS:
        return {name: _pack(getattr(value, name), objects) for name in kind.__struct_fields__}
    if isinstance(value, TrialStatus):
        return value.value
    return {"$object": objects.number(value), "text": _pack(repr(value)[:200], objects)}


def _is_json(value: Any) -> bool:
    """Whether JSON can hold a value that is no dict or list just as it is."""
    kind = type(value)
    if kind is str:
        return _is_unicode(value)
    if kind is float:
        return math.isfinite(value)
    return value is None or kind is bool or (kind is int and -_LARGEST <= value < _LARGEST)


def _is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8: a file name of undecodable bytes cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _plain(value: Any) -> Any:
    """Return a numpy scalar as Python's own number or string, if there is one; else the value itself."""
    is_scalar = type(value).__module__ == "numpy" and getattr(value, "shape", None) == ()
    plain = value.item() if is_scalar else value
    return value if type(plain) is type(value) else plain


def _pack_dict(value: Mapping[Any, Any], objects: Objects) -> Any:
    if all(type(key) is str and not key.startswith("$") and _is_unicode(key) for key in value):
        return {key: _pack(item, objects) for key, item in value.items()}
    return {"$dict": [[_pack(key, objects), _pack(item, objects)] for key, item in value.items()]}


def _unpack(value: Any, objects: Objects) -> Any:
    if isinstance(value, list):
        return [_unpack(item, objects) for item in value]
    if not isinstance(value, dict):
        return value
    if "$float" in value:
        return float(value["$float"])
    if "$utf16" in value:
        return bytes.fromhex(value["$utf16"]).decode("utf-16", "surrogatepass")
    if "$tuple" in value:
        return tuple(_unpack(item, objects) for item in value["$tuple"])
    if "$dict" in value:
        return {_unpack(key, objects): _unpack(item, objects) for key, item in value["$dict"]}
    if "$object" in value:
        return objects.value(value["$object"], _unpack(value["text"], objects))
    return {key: _unpack(item, objects) for key, item in value.items()}


_STRUCTS: frozenset[type[Any]] = frozenset(
    {*_KINDS.values(), TrialSpec, Plan, Decision, Run, End, Keep, Load, CheckpointRef}
)


def _created(fields: dict[str, Any]) -> Created:
    trials = tuple(TrialSpec(**trial) for trial in fields.pop("trials"))
    return Created(**fields, trials=trials)


def _planned(fields: dict[str, Any]) -> Planned:
    plan = fields["plan"]
    decisions = tuple(_decision(decision) for decision in plan.pop("decisions"))
    return Planned(plan=Plan(**plan, decisions=decisions))


def _decision(fields: dict[str, Any]) -> Decision:
    following, source = fields.pop("next"), fields.pop("source")
    loaded = Load(CheckpointRef(**source["checkpoint"])) if source else Keep()
    return Decision(**fields, next=Run(**following) if following else End(), source=loaded)


def _left(fields: dict[str, Any]) -> Left:
    return Left(**{**fields, "status": TrialStatus(fields["status"])})


_BUILD: dict[str, Callable[[dict[str, Any]], Event]] = {
    "created": _created,
    "planned": _planned,
    "left": _left,
}
