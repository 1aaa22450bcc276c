import traceback

import pytest

from poptune._base.attempts import attempt


def fail() -> int:
    raise ValueError("as users' code does")


def test_what_a_call_returns_is_returned() -> None:
    assert attempt(lambda: 1, or_else=lambda error: 2) == 1


def test_what_a_call_raises_is_told_with_a_traceback_that_begins_there() -> None:
    error = attempt(fail, or_else=lambda error: error)
    assert isinstance(error, ValueError)
    assert [frame.name for frame in traceback.extract_tb(error.__traceback__)] == ["fail"]


def test_an_order_to_stop_is_no_answer() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt(stop, or_else=lambda error: error)
