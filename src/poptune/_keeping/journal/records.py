"""Events as versioned records: a kind, a version and a JSON payload. No pickle.

How the values in them are written is told in ``values.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, Literal, TypeVar, get_type_hints

import msgspec
from msgspec import UNSET, Struct, UnsetType

from poptune._base.course import Curve
from poptune._base.described import Described
from poptune._base.types import CheckpointId, Objective, TrialId
from poptune._core.events import (
    Completed,
    Created,
    Declined,
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
    SlotsChanged,
    Spawned,
    Ticked,
)
from poptune._core.scheduler import (
    Cause,
    CheckpointRef,
    Decision,
    End,
    Fresh,
    Keep,
    Load,
    Next,
    Plan,
    Rest,
    Run,
    Source,
)
from poptune._core.trial_spec import TrialSpec
from poptune._keeping.journal.objects import Objects
from poptune._keeping.journal.values import pack, unpack
from poptune.errors import JournalError

_Made = TypeVar("_Made", bound=Struct)
_NEWEST = {"created": 2, "resumed": 2, "planned": 3}
"""The version that records of a kind are written in, where it is not the first any more."""
_KINDS: dict[str, type[Any]] = {
    "created": Created,
    "reported": Reported,
    "returned": Returned,
    "failed": Failed,
    "declined": Declined,
    "population_stopped": PopulationStopped,
    "residents_limited": ResidentsLimited,
    "slots_changed": SlotsChanged,
    "ticked": Ticked,
    "resumed": Resumed,
    "spawned": Spawned,
    "planned": Planned,
    "restarted": Restarted,
    "left": Left,
    "forgotten": Forgotten,
    "completed": Completed,
}
KIND_OF = {cls: kind for kind, cls in _KINDS.items()}
"""What each kind of event is called in records, for ever."""
_RESULT, _RESULTS = KIND_OF[Reported], "results"
_LARGEST = 2**63
_MALFORMED = (
    msgspec.DecodeError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Record:
    """One event, or a run of results, as the journal keeps it."""

    kind: str
    version: int
    trial: str | None
    payload: bytes


def newest(kind: str) -> int:
    """Return the version that records of this kind are written in; all before it are read as well."""
    return _NEWEST.get(kind, 1)


def encode(events: Sequence[Event], objects: Objects) -> list[Record]:
    """Return events as records; values that are no JSON get a number in ``objects``.

    Results of one trial that follow each other share a record, since a turn may bring thousands. Their
    metrics are plain, as reports make them.
    """
    records = []
    for trial, group in groupby(events, _trial_of_result):
        if trial is None:
            records += [_encode(event, objects) for event in group]
        else:
            records.append(_encode_results(trial, list(group), objects))
    return records


def _trial_of_result(event: Event) -> str | None:
    return event.trial if type(event) is Reported else None


def _encode(event: Event, objects: Objects) -> Record:
    payload = msgspec.json.encode(pack(event, objects))
    kind = KIND_OF[type(event)]
    return Record(kind, newest(kind), getattr(event, "trial", None), payload)


def _encode_results(trial: str, results: list[Event], objects: Objects) -> Record:
    kind, value = (_RESULT, results[0]) if len(results) == 1 else (_RESULTS, results)
    try:
        payload = msgspec.json.encode(value)
    except (UnicodeEncodeError, TypeError, OverflowError):  # something that needs to be packed
        payload = b"null"
    if b"null" in payload or b'"$' in payload:  # a number that is not finite, or a key that we use ourselves
        payload = msgspec.json.encode(pack(value, objects))
    return Record(kind, newest(kind), trial, payload)


def decode(record: Record, objects: Objects) -> Sequence[Event]:
    """Return the events that a record keeps.

    Raises:
        JournalError: The record is of a newer version, of an unknown kind, or malformed.
    """
    is_newer = not isinstance(record.version, int) or record.version > newest(record.kind)
    if is_newer or record.kind not in _BUILD:
        raise JournalError(
            f"The journal holds a record {record.kind!r} of version {record.version}, but this poptune reads "
            f"versions up to {newest(record.kind)}: open it with the poptune that wrote it, or a newer one"
        )
    build = _BEFORE.get((record.kind, record.version), _BUILD[record.kind])
    try:
        if record.kind in _PLAIN and b'"$' not in record.payload:
            return _PLAIN[record.kind](record.payload)
        return build(unpack(msgspec.json.decode(record.payload), objects))
    except _MALFORMED as error:
        raise JournalError(f"The journal holds a malformed record {record.kind!r}: {error}") from error


_BUILT = frozenset({"next", "source", "course", "donor_course"})
"""What of a decision is of one kind or another, or has structs in it."""
_PARTS: dict[str, Any] = {**get_type_hints(Decision), "config": dict[Any, Any] | None}
_DecisionParts = msgspec.defstruct(
    "_DecisionParts",
    [(name, hint | UnsetType, UNSET) for name, hint in _PARTS.items() if name not in _BUILT],
)
"""The types of a decision's parts, those aside that are one kind or another."""


class _PlanParts(Struct, kw_only=True):
    """What is left of a plan without its decisions."""

    warnings: tuple[str, ...]
    pin: tuple[CheckpointId, ...] = ()
    unpin: tuple[CheckpointId, ...] = ()
    spawn: tuple[()] = ()
    retire: tuple[TrialId, ...] = ()


def _typed(kind: type[_Made], fields: Any) -> _Made:
    """Return a struct of this kind, if all its fields are there, of the right types, and no others."""
    kind(**fields)
    return msgspec.convert(fields, kind)


def _created(fields: dict[str, Any]) -> Created:
    trials = _trials(fields)
    definition = _definition(fields)
    objectives = tuple(_typed(Objective, each) for each in fields.pop("objectives", ()))
    created = _typed(Created, {**fields, "trials": ()})
    return msgspec.structs.replace(created, trials=trials, definition=definition, objectives=objectives)


def _trials(fields: dict[str, Any]) -> tuple[TrialSpec, ...]:
    return tuple(_typed(TrialSpec, trial) for trial in fields.pop("trials"))


def _spawned(fields: dict[str, Any]) -> Spawned:
    return Spawned(trials=_trials(fields), **fields)


def _definition(fields: dict[str, Any]) -> Described | None:
    definition = fields.pop("definition", None)
    if not isinstance(definition, Described | None):
        raise TypeError(f"Expected a definition, got {definition!r}")
    return definition


def _resumed(fields: dict[str, Any]) -> Resumed:
    definition = _definition(fields)
    return msgspec.structs.replace(_typed(Resumed, fields), definition=definition)


def _resumed_1(fields: dict[str, Any]) -> Resumed:
    """Read one of version 1, whose revision is the number of an object that is not opened any more."""
    fields.pop("revision", None)
    return _resumed(fields)


def _planned(fields: dict[str, Any], *, decided: Callable[[dict[str, Any]], Decision]) -> Planned:
    plan = fields.pop("plan")
    decisions = tuple(decided(decision) for decision in plan.pop("decisions"))
    parts = _typed(_PlanParts, plan)
    whole = Plan(decisions=decisions, **{name: getattr(parts, name) for name in parts.__struct_fields__})
    cause: Cause | None = msgspec.convert(fields.pop("cause", None), Cause | None)
    return Planned(plan=whole, cause=cause, **fields)


def _decision(fields: dict[str, Any]) -> Decision:
    following, source = fields.pop("next"), fields.pop("source")
    course, donor_course = _course(fields.pop("course", None)), _course(fields.pop("donor_course", None))
    msgspec.convert(fields, _DecisionParts)
    return Decision(
        **fields,
        course=course,
        donor_course=donor_course,
        next=_NEXT[following.pop("kind")](following),
        source=_SOURCES[source.pop("kind")](source),
    )


def _course(course: dict[str, Any] | None) -> dict[str, Curve] | None:
    return None if course is None else {path: _typed(Curve, curve) for path, curve in course.items()}


def _load(fields: dict[str, Any]) -> Load:
    checkpoint = _typed(CheckpointRef, fields.pop("checkpoint"))
    msgspec.convert(fields, _LoadParts)
    return Load(checkpoint, **fields)


class _LoadParts(Struct, kw_only=True, forbid_unknown_fields=True):
    parts: Literal["both", "weights", "config"] = "both"


_NEXT: dict[str, Callable[[dict[str, Any]], Next]] = {
    "run": partial(_typed, Run),
    "rest": partial(_typed, Rest),
    "end": partial(_typed, End),
}
_SOURCES: dict[str, Callable[[dict[str, Any]], Source]] = {
    "keep": partial(_typed, Keep),
    "load": _load,
    "fresh": partial(_typed, Fresh),
}


def _decision_1(fields: dict[str, Any]) -> Decision:
    """Read a decision of version 1: kinds showed in what stood there, and readers took from its facts."""
    following, source = fields.pop("next"), fields.pop("source")
    facts = dict(fields.pop("facts"))
    fields |= {name: facts.pop(name) for name in ("iteration", "donor_config") if name in facts}
    fields["facts"] = facts
    return _decision(
        {
            **fields,
            "next": {"kind": "run" if following else "end", **following},
            "source": {"kind": "load" if source else "keep", **source},
        }
    )


def _single(build: Callable[[Any], Event]) -> Callable[[Any], Sequence[Event]]:
    return lambda content: (build(content),)


def _by_fields(kind: type[Any]) -> Callable[[dict[str, Any]], Event]:
    return lambda fields: _typed(kind, fields)


_PLAIN: dict[str, Callable[[bytes], Sequence[Event]]] = {
    _RESULT: _single(msgspec.json.Decoder(Reported).decode),
    _RESULTS: msgspec.json.Decoder(list[Reported]).decode,
}
"""How records of results are read in which nothing is tagged: straight into events."""
_BUILD: dict[str, Callable[[Any], Sequence[Event]]] = {
    **{kind: _single(_by_fields(event)) for kind, event in _KINDS.items()},
    "created": _single(_created),
    "resumed": _single(_resumed),
    "spawned": _single(_spawned),
    "planned": _single(partial(_planned, decided=_decision)),
    _RESULTS: lambda results: [_typed(Reported, result) for result in results],
}
"""How the events of each kind of record are made from what JSON holds."""
_BEFORE: dict[tuple[str, int], Callable[[Any], Sequence[Event]]] = {
    ("planned", 1): _single(partial(_planned, decided=_decision_1)),
    ("resumed", 1): _single(_resumed_1),
}
"""The same for records of earlier versions."""
