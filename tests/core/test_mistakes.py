"""Failures that are alike, and those that prove a mistake that every trial would meet."""

from __future__ import annotations

import pytest

from poptune._base.types import TrialId
from poptune._core.events import Failed
from poptune._core.mistakes import Mistakes, kind_of, last_line, place_of

LR = "TrainingCodeError: 'lr' changed at iteration {at} and nothing uses it\n"


def failed(trial: str, error: str, *, is_certain: bool = True) -> Failed:
    return Failed(time_s=0.0, trial=TrialId(trial), incarnation=0, error=error, is_certain=is_certain)


def mistakes(*failures: Failed) -> Mistakes:
    counted = Mistakes()
    for each in failures:
        counted.note(each)
    return counted


def test_two_trials_that_fail_alike_prove_a_mistake_and_one_that_fails_twice_does_not() -> None:
    one, again, other = (
        failed("a", LR.format(at=6)),
        failed("a", LR.format(at=8)),
        failed("b", LR.format(at=9)),
    )
    assert not mistakes(one, again).is_proven(one.error, population=8)
    assert mistakes(one, other).is_proven(one.error, population=8)


def test_of_a_population_of_one_a_single_failure_is_proof() -> None:
    one = failed("a", LR.format(at=6))
    assert mistakes(one).is_proven(one.error, population=1)


def test_failures_that_may_be_bad_luck_prove_nothing() -> None:
    luck = [failed(trial, "RuntimeError: diverged", is_certain=False) for trial in "abc"]
    assert not mistakes(*luck).is_proven(luck[0].error, population=8)


def test_different_mistakes_are_counted_apart_and_forgotten_when_the_code_may_be_mended() -> None:
    one, other = failed("a", LR.format(at=6)), failed("b", "NameError: name 'x' is not defined")
    counted = mistakes(one, other)
    assert not counted.is_proven(one.error, population=8)
    counted.note(failed("c", one.error))
    assert counted.is_proven(one.error, population=8)
    counted.forget()
    assert not counted.is_proven(one.error, population=8)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ValueError: at 12", "ValueError: at 7"),
        ("E: <object at 0x7f00aa>", "E: <object at 0x7fbb11>"),
        ("E: lr 1.5e-05", "E: lr 0.3"),
    ],
)
def test_addresses_and_numbers_make_no_other_kind(one: str, other: str) -> None:
    assert kind_of(one) == kind_of(other)


def test_the_place_is_the_last_line_of_the_users_own_code() -> None:
    error = (
        'Traceback (most recent call last):\n  File "/me/main.py", line 3, in train\n    f()\n'
        '  File "/me/helpers.py", line 7, in f\n    torch.mm(a)\n'
        '  File "/env/lib/python3.11/site-packages/torch/x.py", line 9, in mm\nRuntimeError: shapes\n\n'
    )
    assert place_of(error) == "helpers.py:7"
    assert last_line(error) == "RuntimeError: shapes"
    assert place_of("its worker process ended") == last_line("") == ""
