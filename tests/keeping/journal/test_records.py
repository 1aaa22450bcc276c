from __future__ import annotations

import json
import math
from collections import OrderedDict
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from poptune._base.course import Curve
from poptune._base.described import Described, Part
from poptune._base.equality import same
from poptune._base.types import CheckpointId, Objective, TrialId, TrialStatus
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
from poptune._core.scheduler import CheckpointRef, Decision, End, Fresh, Load, Plan, Rest, Run
from poptune._core.trial_spec import TrialSpec
from poptune._core.unopened import UnopenedObject
from poptune._keeping.journal import ObjectTable, UnopenedObjects
from poptune._keeping.journal.records import Record, decode, encode, newest
from poptune.errors import JournalError

A, B = TrialId("e_00000"), TrialId("e_00001")
CHECKPOINT = CheckpointRef(
    id=CheckpointId("e_00001/checkpoint_000002"),
    trial=B,
    path="trial_1/checkpoint_000002",
    number=2,
    iteration=4,
    age=4.0,
    time_total_s=2.5,
    score=None,
    report=4,
)
GOLDEN: dict[str, tuple[str | None, str, Event]] = {
    "created": (
        None,
        (
            '{"time_s":1.5,"name":"mnist","trainable":"train","seed":7,"metric":"loss","mode":"min",'
            '"time_attr":"training_iteration","trials":{"$tuple":[{"id":"e_00000","index":0,"name":"train_e_00000",'
            '"tag":"0_lr=0.1","folder":"trial_0","config":{"lr":0.1,"betas":{"$tuple":[0.9,0.99]},'
            '"net":{"$object":0,"text":"<class \'collections.OrderedDict\'>"}}}]},'
            '"objectives":{"$tuple":[{"metric":"loss","mode":"min"},{"metric":"acc","mode":"max"}]},'
            '"definition":{"$record":"RunConfig","version":1,'
            '"arguments":{"name":"mnist","stop":{"$part":0,"text":"<function enough>"},'
            '"log_to_file":{"$tuple":["out","err"]}}}}'
        ),
        Created(
            time_s=1.5,
            name="mnist",
            trainable="train",
            seed=7,
            metric="loss",
            mode="min",
            time_attr="training_iteration",
            trials=(
                TrialSpec(
                    id=A,
                    index=0,
                    name="train_e_00000",
                    tag="0_lr=0.1",
                    folder="trial_0",
                    config={"lr": 0.1, "betas": (0.9, 0.99), "net": OrderedDict},
                ),
            ),
            objectives=(Objective("loss", "min"), Objective("acc", "max")),
            definition=Described(
                kind="RunConfig",
                version=1,
                arguments={
                    "name": "mnist",
                    "stop": Part(place=0, text="<function enough>"),
                    "log_to_file": ("out", "err"),
                },
            ),
        ),
    ),
    "reported": (
        A,
        (
            '{"time_s":2.0,"trial":"e_00000","incarnation":1,"iteration":3,"metrics":{"loss":{"$float":"inf"},'
            '"nested":{"accuracy":0.5,"name":null}},"checkpoint":2,"waiting":true,"stop":""}'
        ),
        Reported(
            time_s=2.0,
            trial=A,
            incarnation=1,
            iteration=3,
            metrics={"loss": math.inf, "nested": {"accuracy": 0.5, "name": None}},
            checkpoint=2,
            waiting=True,
        ),
    ),
    "returned": (
        A,
        '{"time_s":3.0,"trial":"e_00000","incarnation":1}',
        Returned(time_s=3.0, trial=A, incarnation=1),
    ),
    "failed": (
        A,
        '{"time_s":3.0,"trial":"e_00000","incarnation":1,"error":"boom"}',
        Failed(time_s=3.0, trial=A, incarnation=1, error="boom"),
    ),
    "declined": (
        A,
        '{"time_s":3.0,"trial":"e_00000","incarnation":1}',
        Declined(time_s=3.0, trial=A, incarnation=1),
    ),
    "population_stopped": (
        None,
        '{"time_s":3.0,"reason":"the time is up"}',
        PopulationStopped(time_s=3.0, reason="the time is up"),
    ),
    "slots_changed": (None, '{"time_s":3.0,"slots":2}', SlotsChanged(time_s=3.0, slots=2)),
    "residents_limited": (None, '{"time_s":3.0,"limit":2}', ResidentsLimited(time_s=3.0, limit=2)),
    "ticked": (None, '{"time_s":3.0}', Ticked(time_s=3.0)),
    "resumed": (
        None,
        (
            '{"time_s":3.0,"damaged":{"$tuple":[]},"revived":{"$tuple":["e_00000"]},"anew":{"$tuple":[]},'
            '"definition":{"$record":"RunConfig","version":1,"arguments":{}},"parts":4}'
        ),
        Resumed(
            time_s=3.0,
            revived=(A,),
            definition=Described(kind="RunConfig", version=1, arguments={}),
            parts=4,
        ),
    ),
    "spawned": (
        None,
        (
            '{"trials":{"$tuple":[{"id":"e_00002","index":2,"name":"train_e_00002","tag":"2",'
            '"folder":"trial_2","config":{"betas":{"$tuple":[0.9]}},"store":"checkpoints/trial_2"}]}}'
        ),
        Spawned(
            trials=(
                TrialSpec(
                    id=TrialId("e_00002"),
                    index=2,
                    name="train_e_00002",
                    tag="2",
                    folder="trial_2",
                    config={"betas": (0.9,)},
                    store="checkpoints/trial_2",
                ),
            )
        ),
    ),
    "planned": (
        None,
        (
            '{"plan":{"decisions":{"$tuple":[{"trial":"e_00000","next":{"kind":"run","until":8.0,'
            '"barrier":"perturbation"},"source":{"kind":"load","checkpoint":{"id":"e_00001/checkpoint_000002",'
            '"trial":"e_00001","path":"trial_1/checkpoint_000002","number":2,"iteration":4,"age":4.0,'
            '"time_total_s":2.5,"score":null,"report":4},"parts":"weights"},"config":{"lr":0.2},'
            '"reason":"among the lowest",'
            '"seen":{"own":-1.0,"donor":2.0},"iteration":3,"donor":"e_00001","donor_config":{"lr":0.1},'
            '"facts":{"$dict":[["$odd",1]]}},{"trial":"e_00001","next":{"kind":"end"},"source":{"kind":"keep"},'
            '"config":null,"reason":"","seen":{},"iteration":null,"donor":null,"donor_config":null,'
            '"facts":{}},{"trial":"e_00002","next":{"kind":"rest"},"source":{"kind":"fresh"},'
            '"config":null,"reason":"","seen":{},"iteration":null,"donor":null,"config_donor":"e_00000",'
            '"course":{"lr":{"points":{"$tuple":[{"$tuple":[0.0,0.5]},{"$tuple":[4.0,0.25]}]},"scale":"log",'
            '"whole":false,"q":null}},'
            '"donor_config":null,"facts":{},"forgives":false}]},"warnings":{"$tuple":["beware"]},"pin":{"$tuple":[]},'
            '"unpin":{"$tuple":[]},"spawn":{"$tuple":[]},"retire":{"$tuple":["e_00003"]}},"cause":"idle"}'
        ),
        Planned(
            plan=Plan(
                decisions=(
                    Decision(
                        trial=A,
                        next=Run(until=8.0, barrier="perturbation"),
                        source=Load(CHECKPOINT, parts="weights"),
                        config={"lr": 0.2},
                        reason="among the lowest",
                        seen={"own": -1.0, "donor": 2.0},
                        iteration=3,
                        donor=B,
                        donor_config={"lr": 0.1},
                        facts={"$odd": 1},
                    ),
                    Decision(trial=B, next=End()),
                    Decision(
                        trial=TrialId("e_00002"),
                        next=Rest(),
                        source=Fresh(),
                        config_donor=A,
                        course={"lr": Curve(points=((0.0, 0.5), (4.0, 0.25)), scale="log")},
                    ),
                ),
                warnings=("beware",),
                retire=(TrialId("e_00003"),),
            ),
            cause="idle",
        ),
    ),
    "restarted": (A, '{"trial":"e_00000","cause":"failure"}', Restarted(trial=A, cause="failure")),
    "left": (
        A,
        '{"trial":"e_00000","status":"ERROR","reason":"failed"}',
        Left(trial=A, status=TrialStatus.ERROR, reason="failed"),
    ),
    "forgotten": (
        None,
        '{"checkpoints":{"$tuple":["e_00001/checkpoint_000002"]}}',
        Forgotten(checkpoints=(CHECKPOINT.id,)),
    ),
    "completed": (None, '{"time_s":9.0}', Completed(time_s=9.0)),
}
"""The newest version as it was first written. What stands here must stay readable for ever."""

BEFORE: dict[tuple[str, int], tuple[str, Event]] = {
    ("created", 1): (
        (
            '{"time_s":1.5,"name":"mnist","trainable":"train","seed":7,"metric":"loss","mode":"min",'
            '"time_attr":"training_iteration","trials":{"$tuple":[{"id":"e_00000","index":0,"name":"train_e_00000",'
            '"tag":"0_lr=0.1","folder":"trial_0","config":{"lr":0.1,"betas":{"$tuple":[0.9,0.99]},'
            '"net":{"$object":0,"text":"<class \'collections.OrderedDict\'>"}}}]}}'
        ),
        Created(
            time_s=1.5,
            name="mnist",
            trainable="train",
            seed=7,
            metric="loss",
            mode="min",
            time_attr="training_iteration",
            trials=(
                TrialSpec(
                    id=A,
                    index=0,
                    name="train_e_00000",
                    tag="0_lr=0.1",
                    folder="trial_0",
                    config={"lr": 0.1, "betas": (0.9, 0.99), "net": OrderedDict},
                ),
            ),
        ),
    ),
    ("resumed", 1): (
        '{"time_s":3.0,"damaged":{"$tuple":["a"]},"revision":2}',
        Resumed(time_s=3.0, damaged=("a",)),
    ),
    ("planned", 2): (
        (
            '{"plan":{"decisions":{"$tuple":[{"trial":"e_00000","next":{"kind":"run","until":8.0,'
            '"barrier":"perturbation"},"source":{"kind":"load","checkpoint":{"id":"e_00001/checkpoint_000002",'
            '"trial":"e_00001","path":"trial_1/checkpoint_000002","number":2,"iteration":4,"age":4.0,'
            '"time_total_s":2.5,"score":null,"report":4}},"config":{"lr":0.2},"reason":"among the lowest",'
            '"seen":{"own":-1.0,"donor":2.0},"iteration":3,"donor":"e_00001","donor_config":{"lr":0.1},'
            '"facts":{"$dict":[["$odd",1]]}},{"trial":"e_00001","next":{"kind":"end"},"source":{"kind":"keep"},'
            '"config":null,"reason":"","seen":{},"iteration":null,"donor":null,"donor_config":null,'
            '"facts":{}}]},"warnings":{"$tuple":["beware"]}}}'
        ),
        Planned(
            plan=Plan(
                decisions=(
                    Decision(
                        trial=A,
                        next=Run(until=8.0, barrier="perturbation"),
                        source=Load(CHECKPOINT),
                        config={"lr": 0.2},
                        reason="among the lowest",
                        seen={"own": -1.0, "donor": 2.0},
                        iteration=3,
                        donor=B,
                        donor_config={"lr": 0.1},
                        facts={"$odd": 1},
                    ),
                    Decision(trial=B, next=End()),
                ),
                warnings=("beware",),
            )
        ),
    ),
    ("planned", 1): (
        (
            '{"plan":{"decisions":{"$tuple":[{"trial":"e_00000","next":{"until":8.0,"barrier":"perturbation"},'
            '"source":{"checkpoint":{"id":"e_00001/checkpoint_000002","trial":"e_00001",'
            '"path":"trial_1/checkpoint_000002","number":2,"iteration":4,"age":4.0,"time_total_s":2.5,"score":null,'
            '"report":4}},"config":{"lr":0.2},"reason":"among the lowest","seen":{"own":-1.0,"donor":2.0},'
            '"donor":"e_00001","facts":{"iteration":3,"donor_config":{"lr":0.1},"more":1}},'
            '{"trial":"e_00001","next":{"until":null,'
            '"barrier":null},"source":{},"config":null,"reason":"","seen":{},"donor":null,"facts":{}},'
            '{"trial":"e_00002","next":{},"source":{},"config":null,"reason":"","seen":{},"donor":null,'
            '"facts":{}}]},"warnings":{"$tuple":["beware"]}}}'
        ),
        Planned(
            plan=Plan(
                decisions=(
                    Decision(
                        trial=A,
                        next=Run(until=8.0, barrier="perturbation"),
                        source=Load(CHECKPOINT),
                        config={"lr": 0.2},
                        reason="among the lowest",
                        seen={"own": -1.0, "donor": 2.0},
                        iteration=3,
                        donor=B,
                        donor_config={"lr": 0.1},
                        facts={"more": 1},
                    ),
                    Decision(trial=B, next=Run()),
                    Decision(trial=TrialId("e_00002"), next=End()),
                ),
                warnings=("beware",),
            )
        ),
    ),
}
"""Versions of before, as they were written."""


def record(kind: str, payload: str | bytes, version: int | None = None) -> Record:
    version = newest(kind) if version is None else version
    return Record(kind, version, None, payload.encode() if isinstance(payload, str) else payload)


@pytest.mark.parametrize("kind", GOLDEN)
def test_a_record_is_read_as_it_was_first_written(kind: str) -> None:
    _, payload, event = GOLDEN[kind]
    assert list(decode(record(kind, payload), ObjectTable([OrderedDict]))) == [event]


@pytest.mark.parametrize(("kind", "version"), BEFORE)
def test_a_record_of_an_older_version_is_still_read(kind: str, version: int) -> None:
    payload, event = BEFORE[kind, version]
    assert list(decode(record(kind, payload, version), ObjectTable([OrderedDict]))) == [event]


def test_there_is_a_sample_of_each_older_version() -> None:
    assert set(BEFORE) == {(kind, version) for kind in GOLDEN for version in range(1, newest(kind))}


@pytest.mark.parametrize("kind", GOLDEN)
def test_what_is_written_for_an_event_holds_all_that_its_version_held(kind: str) -> None:
    """A field may be added, with a default; for one to go, change its name or its form takes a version.

    Only where it has its default, a result may lack one.
    """
    trial, payload, event = GOLDEN[kind]
    (written,) = encode([event], ObjectTable())
    assert (written.kind, written.version, written.trial) == (kind, newest(kind), trial)
    assert_holds(json.loads(written.payload), json.loads(payload))


def assert_holds(written: Any, golden: Any) -> None:
    """All that stands in the golden one stands in the other too."""
    assert type(written) is type(golden)
    if isinstance(golden, dict):
        for key, value in golden.items():
            assert_holds(written.get(key, ""), value)
    elif isinstance(golden, list):
        for mine, theirs in zip(written, golden, strict=True):
            assert_holds(mine, theirs)
    else:
        assert written == golden


def test_every_kind_of_event_has_a_sample() -> None:
    assert {type(event) for _, _, event in GOLDEN.values()} == set(Event.__args__)


def values(value: object) -> tuple[str, object]:
    """How a value that the user gives is written, and what is read of it."""
    (written,) = encode([started_with({"v": value})], TABLE)
    (found,) = decode(written, TABLE)
    assert isinstance(found, Planned)
    text = written.payload.decode()
    config = found.plan.decisions[0].config
    assert config is not None
    return text[text.index('{"v":') + 5 : text.index('},"course"')], config["v"]


def started_with(config: dict[str, Any]) -> Planned:
    return Planned(plan=Plan(decisions=(Decision(trial=A, next=Run(), config=config),)))


TABLE = ObjectTable()


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1, "1"),
        (1.0, "1.0"),
        (True, "true"),
        (None, "null"),
        ("naïve ☃", '"naïve ☃"'),
        (-math.inf, '{"$float":"-inf"}'),
        (2**63 - 1, "9223372036854775807"),
        ((), '{"$tuple":[]}'),
        ((1, (2,)), '{"$tuple":[1,{"$tuple":[2]}]}'),
        ({"$float": "nan"}, '{"$dict":[["$float","nan"]]}'),
        ({1: 2, "a": (3,)}, '{"$dict":[[1,2],["a",{"$tuple":[3]}]]}'),
        ({(1, 2): 3}, '{"$dict":[[{"$tuple":[1,2]},3]]}'),
        ("\udcff", '{"$utf16":"fffeffdc"}'),
        ({"\udcff": 1}, '{"$dict":[[{"$utf16":"fffeffdc"},1]]}'),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e308"),
    ],
    ids=repr,
)
def test_values_are_written_in_one_form(value: object, written: str) -> None:
    text, found = values(value)
    assert text == written
    assert found == value
    assert type(found) is type(value)


def test_not_a_number_stays_so() -> None:
    text, found = values(math.nan)
    assert text == '{"$float":"nan"}'
    assert isinstance(found, float)
    assert math.isnan(found)


@pytest.mark.parametrize(
    "value", [2**63, Path("x"), 1j, b"b", {1}, np.longdouble("0.1"), np.arange(2)], ids=repr
)
def test_what_is_no_json_is_an_object_with_its_text(value: object) -> None:
    text, found = values(value)
    assert text.startswith('{"$object":')
    assert same(found, value)


def test_the_text_of_an_object_is_short_and_may_be_odd() -> None:
    class Loud:
        def __repr__(self) -> str:
            return "\udcff" + "x" * 1000

    (written,) = encode([started_with({"v": Loud()})], ObjectTable())
    (found,) = decode(written, UnopenedObjects())
    assert isinstance(found, Planned)
    assert found.plan.decisions[0].config == {"v": UnopenedObject("\udcff" + "x" * 199, number=0)}


def result(iteration: int, trial: TrialId = A, **metrics: Any) -> Reported:
    return Reported(time_s=1.0, trial=trial, incarnation=0, iteration=iteration, metrics=metrics)


def test_results_of_a_trial_that_follow_each_other_share_a_record() -> None:
    events = [result(1, x=1.0), result(2, x=2.0), result(1, B), result(3), Resumed(time_s=3.0)]
    records = encode(events, TABLE)
    assert [(record.kind, record.trial) for record in records] == [
        ("results", A),
        ("reported", B),
        ("reported", A),
        ("resumed", None),
    ]
    assert [event for record in records for event in decode(record, TABLE)] == events


@pytest.mark.parametrize(
    "value",
    [math.nan, -math.inf, None, "null", "$", "\udcff", {"$float": "nan"}, [None, math.inf], {"$": {"$": 1}}],
    ids=repr,
)
def test_a_metric_that_json_cannot_hold_comes_back_alone_and_among_others(value: object) -> None:
    for events in ([result(1, x=value)], [result(1, y=1.5), result(2, x=value), result(3, y=2.5)]):
        (record,) = encode(events, TABLE)
        assert repr(list(decode(record, TABLE))) == repr(events)


@pytest.mark.parametrize("bad", [record("ticked", '{"time_s":3.0}', version=2), record("teleported", "{}")])
def test_a_newer_version_or_an_unknown_kind_is_an_error_that_says_what_to_do(bad: Record) -> None:
    with pytest.raises(
        JournalError, match=r"of version \d, but this poptune reads versions up to 1: open it"
    ):
        decode(bad, UnopenedObjects())


@pytest.mark.parametrize("kind", ["created", "planned", "left", "resumed"])
@pytest.mark.parametrize(
    "payload",
    [
        "",
        "{",
        "null",
        "3",
        '"text"',
        "[]",
        "{}",
        '{"time_s":1.0,"unknown":2}',
        '{"time_s":{"$float":"abc"}}',
        '{"time_s":{"$tuple":3}}',
        '{"time_s":{"$utf16":"xyz"}}',
        '{"time_s":{"$dict":[1]}}',
        '{"time_s":{"$object":0}}',
        '{"plan":null}',
        '{"plan":[]}',
        '{"plan":{"decisions":[{}]}}',
        '{"trials":[{"id":"x"}]}',
        '{"trial":"x","status":"FLYING","reason":""}',
        b"\xff\xfe",
    ],
    ids=repr,
)
def test_a_malformed_record_is_an_error_that_names_its_kind(kind: str, payload: str | bytes) -> None:
    with pytest.raises(JournalError, match=f"malformed record '{kind}'"):
        decode(record(kind, payload), UnopenedObjects())


DECISION = {
    "trial": "t",
    "next": {"kind": "end"},
    "source": {"kind": "keep"},
    "config": None,
    "reason": "",
    "seen": {},
    "donor": None,
    "facts": {},
}


LOADS_NOTHING = {"kind": "load", "checkpoint": {}}


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("resumed", {"time_s": "now"}),
        ("left", {"trial": 3, "status": "ERROR", "reason": ""}),
        ("forgotten", {"checkpoints": {"$tuple": [1]}}),
        ("reported", {"time_s": 1.0, "trial": "t", "incarnation": "0", "iteration": 1, "metrics": {}}),
        (
            "reported",
            {"time_s": 1.0, "trial": "t", "incarnation": 0, "iteration": 1, "metrics": {"$float": "nan"}},
        ),
        ("planned", {"plan": {"decisions": [{**DECISION, "config": 3}], "warnings": []}}),
        (
            "planned",
            {"plan": {"decisions": [{**DECISION, "next": {"kind": "run", "until": "soon"}}], "warnings": []}},
        ),
        ("planned", {"plan": {"decisions": [{**DECISION, "source": LOADS_NOTHING}], "warnings": []}}),
        ("planned", {"plan": {"decisions": [{**DECISION, "next": {"kind": "keep"}}], "warnings": []}}),
        ("planned", {"plan": {"decisions": [{**DECISION, "source": {}}], "warnings": []}}),
        ("planned", {"plan": {"decisions": [{**DECISION, "unheard": 1}], "warnings": []}}),
        ("planned", {"plan": {"decisions": [DECISION], "warnings": [3]}}),
    ],
)
def test_a_field_of_another_type_is_an_error(kind: str, content: dict[str, Any]) -> None:
    with pytest.raises(JournalError, match=f"malformed record '{kind}'"):
        decode(record(kind, msgspec.json.encode(content).decode()), UnopenedObjects())


def test_a_decision_from_before_a_part_was_added_is_read_with_its_default() -> None:
    content = {"plan": {"decisions": [DECISION], "warnings": []}}
    (event,) = decode(record("planned", msgspec.json.encode(content).decode()), UnopenedObjects())
    assert isinstance(event, Planned)
    assert event.plan.decisions == (Decision(trial=TrialId("t"), next=End()),)
