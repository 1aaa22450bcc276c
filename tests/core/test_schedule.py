from __future__ import annotations

import json

import pytest

from poptune._core.schedule import Schedule
from poptune.errors import ConfigurationError

SCHEDULE = Schedule([(0, {"lr": 0.1}), (5, {"lr": 0.2}), (6, {"lr": 0.3, "net": {"depth": (1, 2)}})])


@pytest.mark.parametrize(("iteration", "lr"), [(1, 0.1), (5, 0.1), (6, 0.2), (7, 0.3), (1000, 0.3)])
def test_a_config_is_in_force_for_the_iterations_after_its_change(iteration: int, lr: float) -> None:
    assert SCHEDULE(iteration)["lr"] == lr


def test_iterations_are_counted_from_one() -> None:
    with pytest.raises(ConfigurationError, match="counted from 1, got 0"):
        SCHEDULE(0)


def test_schedules_that_are_equal_have_one_hash_whatever_their_values_are() -> None:
    changes = [(0, {"lr": 1, "layers": [1, 2]}), (5, {"layers": {}, "lr": 0.5})]
    alike = [(0, {"layers": [1, 2], "lr": 1.0}), (5, {"lr": 0.5, "layers": {}})]
    assert Schedule(changes) == Schedule(alike)
    assert len({Schedule(changes), Schedule(alike), Schedule(changes[:1])}) == 2


def test_json_gives_the_same_schedule_with_lists_for_tuples() -> None:
    again = Schedule.from_json(SCHEDULE.to_json())
    assert again.changes[:2] == SCHEDULE.changes[:2]
    assert again(7) == {"lr": 0.3, "net": {"depth": [1, 2]}}
    assert Schedule.from_json(again.to_json()) == again


@pytest.mark.parametrize(
    ("config", "path"),
    [({"model": dict}, "config at 0.model is <class 'dict'>"), ({"a": {"b": [{1: 2}]}}, "0.a.b\\[0\\]")],
)
def test_a_value_that_json_cannot_hold_is_named_by_its_path(config: dict, path: str) -> None:
    with pytest.raises(ConfigurationError, match=path):
        Schedule([(0, config)]).to_json()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([], r"first change .* at iteration 0, got the iterations \[\]"),
        ([(3, {})], r"at iteration 0, got the iterations \[3\]"),
        ([(0, {}), (4, {}), (4, {})], r"must rise, got \[0, 4, 4\]"),
        ([(0, {}), (True, {})], "Change 1 .* got \\(True"),
        ([(0, 0.1)], "Change 0 of a schedule must be an iteration and a config"),
        ([7], "Change 0 .* got 7"),
    ],
)
def test_malformed_changes_are_named(changes: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Schedule(changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be JSON, but Expecting value"),
        ("[1]", r"must be \{\"changes\""),
        ('{"changes": 3}', r"must be \{\"changes\""),
        (json.dumps({"changes": [{"iteration": 0}]}), 'Change 0 .* "iteration" and a "config"'),
        (json.dumps({"changes": [{"iteration": "0", "config": {}}]}), "Change 0 .* got \\('0'"),
        (json.dumps({"changes": []}), "at iteration 0"),
    ],
)
def test_text_that_is_no_schedule_is_an_error_that_says_why(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Schedule.from_json(text)
