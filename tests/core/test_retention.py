from __future__ import annotations

import math

import pytest

from poptune._base.types import CheckpointId, TrialId
from poptune._core.retention import Retention
from poptune._core.scheduler import CheckpointRef


def saved(count: int) -> list[CheckpointRef]:
    return [
        CheckpointRef(
            id=CheckpointId(f"t/checkpoint_{number:06d}"),
            trial=TrialId("t"),
            path=f"t/checkpoint_{number:06d}",
            number=number,
            iteration=number,
            age=float(number),
            time_total_s=0.0,
            score=None,
            report=number,
        )
        for number in range(1, count + 1)
    ]


def gone(retention: Retention, values: list[float | None], needed: tuple[int, ...] = ()) -> list[int]:
    refs = saved(len(values))
    pinned = {refs[number - 1].id for number in needed}
    found = retention.superfluous(refs, needed=pinned.__contains__, value=lambda ref: values[ref.number - 1])
    return [ref.number for ref in found]


@pytest.mark.parametrize(("keep", "expected"), [(None, []), (5, []), (2, [1, 2, 3]), (1, [1, 2, 3, 4])])
def test_the_newest_are_kept(keep: int | None, expected: list[int]) -> None:
    assert gone(Retention(num_to_keep=keep), [1.0] * 5) == expected


def test_what_is_needed_is_kept_beside_them() -> None:
    assert gone(Retention(num_to_keep=1), [1.0] * 4, needed=(2,)) == [1, 3]


@pytest.mark.parametrize(("mode", "expected"), [("max", [1, 3]), ("min", [2, 4])])
def test_the_best_by_an_attribute_are_kept_and_always_the_newest(mode, expected: list[int]) -> None:
    assert gone(Retention(num_to_keep=2, attribute="a", mode=mode), [1, 4, 2, 3, 2.5]) == expected


@pytest.mark.parametrize("worst", [None, math.nan])
@pytest.mark.parametrize("mode", ["max", "min"])
def test_a_checkpoint_without_a_usable_value_ranks_lowest(mode, worst: float | None) -> None:
    assert gone(Retention(num_to_keep=2, attribute="a", mode=mode), [1.0, worst, 1.0]) == [2]


def test_of_equal_values_the_newer_is_kept() -> None:
    assert gone(Retention(num_to_keep=2, attribute="a"), [1.0, 1.0, 1.0]) == [1]
