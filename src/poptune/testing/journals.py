"""What every journal must do, as tests to run.

Example:
    ```python
    class TestMyJournal(JournalConformance):
        def make_journal(self, tmp_path):
            return MyJournal(tmp_path / "journal", ObjectTable())

        def reopen(self, journal, tmp_path):
            journal.close()
            return MyJournal(tmp_path / "journal", ObjectTable())
    ```
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from poptune._base.types import CheckpointId, TrialId, TrialStatus
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
    Ticked,
)
from poptune._core.scheduler import CheckpointRef, Decision, End, Keep, Load, Plan, Run
from poptune._core.trial_spec import TrialSpec
from poptune._keeping.journal import Journal

_TRIALS = st.sampled_from([TrialId("69158_00000"), TrialId("69158_00001"), TrialId("odd 'trial' ü")])
_TEXTS = st.text(st.characters(), max_size=8) | st.sampled_from(["", "$float", "naïve ☃", "\udcff", "a\0b"])
_INTEGERS = st.integers() | st.sampled_from([2**63 - 1, -(2**63), 2**63, 2**100])
_SCALARS = st.none() | st.booleans() | _INTEGERS | st.floats() | _TEXTS
_KEYS = _TEXTS | st.sampled_from(["$tuple", "$dict", "$object", "$utf16", "lr", "optimizer.lr"])
_METRICS = st.dictionaries(
    _KEYS,
    st.recursive(
        _SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)
_CLASSES = st.sampled_from([Path, OrderedDict, len, Path("data"), frozenset({1, 2}), b"bytes", 1j])
_VALUES = st.recursive(
    _SCALARS | _CLASSES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(_KEYS | st.integers(0, 9) | st.booleans(), inner, max_size=3)
    ),
    max_leaves=6,
)
CONFIGS = st.dictionaries(_KEYS, _VALUES, max_size=4)
"""Configs with whatever a user may put into one."""

_NUMBERS = st.integers(0, 10**6)
_AGES = st.floats(0, 1e9)
_SCORES = st.none() | st.floats()


def _build(kind: Any, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(kind, **fields)


_CHECKPOINTS = _build(
    CheckpointRef,
    id=_TEXTS.map(CheckpointId),
    trial=_TRIALS,
    path=_TEXTS,
    number=_NUMBERS,
    iteration=_NUMBERS,
    age=_AGES,
    time_total_s=_AGES,
    score=_SCORES,
    report=_NUMBERS,
)
_DECISIONS = _build(
    Decision,
    trial=_TRIALS,
    next=st.just(End())
    | _build(Run, until=st.none() | st.floats(0), barrier=st.none() | _TEXTS, yields=st.booleans()),
    source=st.just(Keep()) | _build(Load, checkpoint=_CHECKPOINTS),
    config=st.none() | CONFIGS,
    reason=_TEXTS,
    seen=st.dictionaries(_TEXTS, _SCORES, max_size=3),
    donor=st.none() | _TRIALS,
    facts=CONFIGS,
)
_SPECS = _build(
    TrialSpec,
    id=_TRIALS,
    index=_NUMBERS,
    name=_TEXTS,
    tag=_TEXTS,
    folder=_TEXTS,
    config=CONFIGS,
)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    _build(
        Created,
        time_s=_AGES,
        name=_TEXTS,
        trainable=_TEXTS,
        seed=_NUMBERS,
        metric=st.none() | _TEXTS,
        mode=st.sampled_from([None, "min", "max"]),
        time_attr=_TEXTS,
        trials=st.lists(_SPECS, max_size=3).map(tuple),
    ),
    _build(
        Reported,
        time_s=_AGES,
        trial=_TRIALS,
        incarnation=_NUMBERS,
        iteration=_NUMBERS,
        metrics=_METRICS,
        checkpoint=st.none() | _NUMBERS,
        waiting=st.booleans(),
        stop=_TEXTS,
        overruled=st.booleans(),
    ),
    _build(Returned, time_s=_AGES, trial=_TRIALS, incarnation=_NUMBERS),
    _build(Declined, time_s=_AGES, trial=_TRIALS, incarnation=_NUMBERS),
    _build(Failed, time_s=_AGES, trial=_TRIALS, incarnation=_NUMBERS, error=_TEXTS, damaged=_TEXTS),
    _build(PopulationStopped, time_s=_AGES, reason=_TEXTS),
    _build(ResidentsLimited, time_s=_AGES, limit=st.integers()),
    _build(SlotsChanged, time_s=_AGES, slots=st.integers()),
    _build(Ticked, time_s=_AGES),
    _build(Resumed, time_s=_AGES, damaged=st.lists(_TEXTS, max_size=3).map(tuple)),
    _build(
        Planned,
        plan=_build(
            Plan,
            decisions=st.lists(_DECISIONS, max_size=3).map(tuple),
            warnings=st.lists(_TEXTS, max_size=2).map(tuple),
            pin=st.lists(_TEXTS, max_size=2).map(tuple),
            unpin=st.lists(_TEXTS, max_size=2).map(tuple),
        ),
    ),
    _build(Restarted, trial=_TRIALS, cause=_TEXTS),
    _build(Left, trial=_TRIALS, status=st.sampled_from(TrialStatus), reason=_TEXTS),
    _build(Forgotten, checkpoints=st.lists(_TEXTS.map(CheckpointId), max_size=3).map(tuple)),
    _build(Completed, time_s=_AGES),
)
"""Events of every kind."""

_BRIEF = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
A, B = TrialId("69158_00000"), TrialId("69158_00001")


def _result(trial: TrialId, iteration: int, **metrics: Any) -> Reported:
    return Reported(time_s=0.0, trial=trial, incarnation=0, iteration=iteration, metrics=metrics)


def _told(event: object) -> str:
    """An event as text: in which NaN equals itself, and True is not 1."""
    return repr(event)


class JournalConformance(ABC):
    """Subclass it as ``Test...`` and say how a journal is made."""

    @abstractmethod
    def make_journal(self, tmp_path: Path) -> Journal:
        """An empty journal, with objects of its own. It may keep its files in `tmp_path`, which exists."""

    def reopen(self, journal: Journal, tmp_path: Path) -> Journal:
        """The same journal as another process would find it; one in memory is just itself."""
        return journal

    @pytest.fixture
    def journal(self, tmp_path: Path) -> Iterator[Journal]:
        """The journal under test."""
        journal = self.make_journal(tmp_path)
        yield journal
        journal.close()

    def test_a_new_journal_is_empty(self, journal: Journal) -> None:
        assert list(journal.read()) == []
        assert list(journal.results(A)) == []

    @_BRIEF
    @given(events=st.lists(EVENTS, min_size=1, max_size=4))
    def test_events_of_every_kind_are_read_as_they_were(self, journal: Journal, events: list[Event]) -> None:
        before = len(list(journal.read()))
        journal.append(events)
        found = list(journal.read())[before:]
        assert [_told(event) for event in found] == [_told(event) for event in events]

    def test_appends_follow_one_another_in_order(self, journal: Journal) -> None:
        events = [_result(A, iteration) for iteration in range(20)]
        for start in range(0, 20, 5):
            journal.append(events[start : start + 5])
        assert list(journal.read()) == events

    def test_appending_nothing_changes_nothing(self, journal: Journal) -> None:
        journal.append([])
        assert list(journal.read()) == []

    def test_what_was_appended_is_there_for_another_process(self, journal: Journal, tmp_path: Path) -> None:
        events: list[Event] = [Resumed(time_s=1.5), _result(A, 1, loss=math.nan), Completed(time_s=2.0)]
        journal.append(events)
        reopened = self.reopen(journal, tmp_path)
        assert [_told(event) for event in reopened.read()] == [_told(event) for event in events]
        reopened.append([_result(B, 1)])
        assert len(list(reopened.read())) == 4
        reopened.close()

    def test_of_several_events_all_or_none_are_kept(self, journal: Journal) -> None:
        journal.append([_result(A, 1)])
        unknown: Any = object()
        with pytest.raises(KeyError):
            journal.append([_result(A, 2), unknown, _result(A, 3)])
        assert list(journal.read()) == [_result(A, 1)]
        journal.append([_result(A, 2)])
        assert list(journal.read()) == [_result(A, 1), _result(A, 2)]

    def test_the_results_are_those_of_one_trial_in_order(self, journal: Journal) -> None:
        journal.append([_result(A, 1), _result(B, 1), Restarted(trial=A, cause="failure")])
        journal.append([_result(B, 2), _result(A, 1, again=True), Resumed(time_s=0.0)])
        assert list(journal.results(A)) == [_result(A, 1), _result(A, 1, again=True)]
        assert list(journal.results(B)) == [_result(B, 1), _result(B, 2)]
        assert list(journal.results(TrialId("nobody"))) == []

    def test_a_reader_sees_what_was_there_when_it_began(self, journal: Journal) -> None:
        journal.append([_result(A, iteration) for iteration in range(100)])
        everything, results = journal.read(), journal.results(A)
        seen = [(next(everything), next(results))]
        journal.append([_result(A, 100)])
        journal.sync()
        seen += zip(everything, results, strict=True)
        assert [event.iteration for _, event in seen] == list(range(100))
        assert len(list(journal.read())) == 101

    def test_syncing_changes_nothing_that_is_read(self, journal: Journal) -> None:
        journal.sync()
        journal.append([_result(A, 1)])
        journal.sync()
        journal.sync()
        assert list(journal.read()) == [_result(A, 1)]

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (np.float64(0.5), 0.5),
            (np.float32(0.5), 0.5),
            (np.float64("nan"), math.nan),
            (np.int64(3), 3),
            (np.uint64(2**64 - 1), 2**64 - 1),
            (np.bool_(True), True),
            (np.str_("adam"), "adam"),
            (np.array(7), 7),
        ],
        ids=lambda value: f"{type(value).__name__}({value})",
    )
    def test_numpy_scalars_become_plain_values(self, journal: Journal, value: Any, expected: object) -> None:
        journal.append([_result(A, 1, value=value)])
        found = next(journal.results(A)).metrics["value"]
        assert type(found) is type(expected)
        assert _told(found) == _told(expected)

    def test_a_class_among_the_values_is_the_same_class_again(self, journal: Journal, tmp_path: Path) -> None:
        spec = TrialSpec(
            id=A, index=0, name="n", tag="0", folder="f", config={"net": OrderedDict, "data": [Path("data")]}
        )
        created = Created(
            time_s=0.0,
            name="n",
            trainable="t",
            seed=0,
            metric=None,
            mode=None,
            time_attr="training_iteration",
            trials=(spec,),
        )
        journal.append([created])
        reopened = self.reopen(journal, tmp_path)
        found = next(reopened.read())
        assert found == created
        assert isinstance(found, Created)
        assert found.trials[0].config["net"] is OrderedDict
        reopened.close()
