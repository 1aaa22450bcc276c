"""Values of any kind as what JSON can hold.

Non-finite numbers, texts that are no Unicode, tuples and values that are no JSON are tagged:
``{"$float": "nan"}``, ``{"$utf16": "fffe80dc"}``, ``{"$tuple": [...]}``,
``{"$object": 3, "text": "<class 'Adam'>"}``. A dict whose keys could be mistaken for
a tag is written as ``{"$dict": [[key, value], ...]}``. What defines an experiment is written as
``{"$record": "Float", "version": 1, "arguments": {...}}``, and the user's own parts of it as
``{"$part": 0, "text": "<function train>"}``. Structs of the core are dicts of their fields; where one or
another may stand in a place, with their ``"kind"``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, get_args

import msgspec

from poptune._base.course import Curve
from poptune._base.described import Described, Part
from poptune._base.types import Objective, TrialStatus
from poptune._core.events import Event
from poptune._core.scheduler import CheckpointRef, Decision, End, Fresh, Keep, Load, Plan, Rest, Run
from poptune._core.trial_spec import TrialSpec
from poptune._keeping.journal.objects import Objects

_LARGEST = 2**63
_STRUCTS: frozenset[type[Any]] = frozenset(
    {
        *get_args(Event),
        *(
            TrialSpec,
            Plan,
            Decision,
            Run,
            Rest,
            End,
            Keep,
            Load,
            Fresh,
            CheckpointRef,
            Curve,
            Curve,
            Described,
            Objective,
            Part,
        ),
    }
)
_TAGS: dict[type[Any], str] = {
    Run: "run",
    Rest: "rest",
    End: "end",
    Keep: "keep",
    Load: "load",
    Fresh: "fresh",
}
"""How those are told apart of which one or another stands in a place."""


def pack(value: Any, objects: Objects) -> Any:
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
        return [pack(item, objects) for item in value]
    if kind is tuple:
        return {"$tuple": [pack(item, objects) for item in value]}
    if (plain := _plain(value)) is not value:
        return pack(plain, objects)
    if kind in _STRUCTS:
        return _pack_struct(value, objects)
    if isinstance(value, TrialStatus):
        return value.value
    return {"$object": objects.number(value), "text": pack(repr(value)[:200], objects)}


def _pack_struct(value: Any, objects: Objects) -> dict[str, Any]:
    kind = type(value)
    fields = {name: pack(getattr(value, name), objects) for name in kind.__struct_fields__}
    if kind is Described:
        return {"$record": fields["kind"], "version": fields["version"], "arguments": fields["arguments"]}
    if kind is Part:
        return {"$part": fields["place"], "text": fields["text"]}
    return {"kind": _TAGS[kind], **fields} if kind in _TAGS else fields


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
        return {key: pack(item, objects) for key, item in value.items()}
    return {"$dict": [[pack(key, objects), pack(item, objects)] for key, item in value.items()]}


def unpack(value: Any, objects: Objects) -> Any:
    """Return the value that was packed."""
    if isinstance(value, list):
        return [unpack(item, objects) for item in value]
    if not isinstance(value, dict):
        return value
    if "$float" in value:
        return float(value["$float"])
    if "$utf16" in value:
        return bytes.fromhex(value["$utf16"]).decode("utf-16", "surrogatepass")
    if "$tuple" in value:
        return tuple(unpack(item, objects) for item in value["$tuple"])
    if "$dict" in value:
        return {unpack(key, objects): unpack(item, objects) for key, item in value["$dict"]}
    if "$record" in value:
        arguments = unpack(value["arguments"], objects)
        fields = {"kind": value["$record"], "version": value["version"], "arguments": arguments}
        return msgspec.convert(fields, Described)
    if "$part" in value:
        return msgspec.convert({"place": value["$part"], "text": unpack(value["text"], objects)}, Part)
    if "$object" in value:
        return objects.value(value["$object"], unpack(value["text"], objects))
    return {key: unpack(item, objects) for key, item in value.items()}
