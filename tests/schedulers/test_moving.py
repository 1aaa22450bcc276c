"""Which changes of a schedule are a course, and which are steps."""

import pytest

from poptune._base.course import present
from poptune.schedulers.moving import stretches


def at_each(*configs, begin=0):
    return [(begin + place, config) for place, config in enumerate(configs)]


def test_changes_that_are_far_apart_are_steps():
    assert stretches([(0, {"lr": 1.0}), (5, {"lr": 0.5}), (9, {"lr": 0.1})]) == [
        (0, None),
        (5, None),
        (9, None),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        at_each({"lr": 1.0}, {"lr": 0.5}),
        at_each({"kind": "a"}, {"kind": "b"}, {"kind": "c"}),
        at_each({"lr": 1.0}, {"lr": 0.5, "wd": 1}, {"lr": 0.1}),
        at_each({"flag": True}, {"flag": False}, {"flag": True}),
        at_each({"a.b": 1.0}, {"a.b": 0.5}, {"a.b": 0.1}),
    ],
)
def test_few_changes_or_such_in_more_than_numbers_are_steps(changes):
    assert stretches(changes) == [(at, None) for at, _ in changes]


def test_a_course_has_exactly_the_values_of_the_schedule():
    configs = [{"o": {"lr": 0.1 * (7 - k) ** 2}, "batch": 8 + k % 2, "depth": 3} for k in range(7)]
    ((begin, course),) = stretches(at_each(*configs, begin=4))
    assert begin == 4
    assert set(course) == {"o.lr", "batch"}
    followed = [present(configs[0], course, 4 + k) for k in range(7)]
    assert followed == configs
    assert all(type(config["batch"]) is int for config in followed)


def test_a_step_in_between_ends_a_course_and_another_begins():
    changes = [
        *at_each({"lr": 3.0, "k": "a"}, {"lr": 2.0, "k": "a"}, {"lr": 1.0, "k": "a"}),
        *at_each({"lr": 1.0, "k": "b"}, {"lr": 2.0, "k": "b"}, {"lr": 3.0, "k": "b"}, begin=3),
    ]
    assert [(at, len(course["lr"].points)) for at, course in stretches(changes)] == [(0, 3), (3, 3)]
