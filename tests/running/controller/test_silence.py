"""Trials that hang."""

import pytest

from poptune._core.commands import Proceed, Release
from poptune._running.controller import silence
from poptune._running.controller.silence import Silence


class Clock:
    now_s = 100.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(silence.time, "monotonic", clock)
    return clock


def test_a_trial_that_says_nothing_for_too_long_is_named_once(clock):
    watch = Silence(10.0)
    watch.ordered([Proceed(trial="a", incarnation=0, until=None), Release(trial="b")])
    clock.now_s += 10.0
    assert watch.too_long({"a", "b"}) == {}
    clock.now_s += 0.1
    (silent,) = watch.too_long({"a", "b"}).items()
    assert silent[0] == "a"
    assert "not reported for 10 s (report_timeout_s)" in silent[1]
    assert watch.too_long({"a", "b"}) == {}


def test_whatever_it_says_or_is_told_gives_it_time_again(clock):
    watch = Silence(10.0)
    watch.heard("a")
    clock.now_s += 9.0
    watch.heard("a")
    clock.now_s += 9.0
    assert watch.too_long({"a"}) == {}
    watch.ordered([Proceed(trial="a", incarnation=0, until=None)])
    clock.now_s += 9.0
    assert watch.too_long({"a"}) == {}


def test_a_trial_that_waits_for_its_turn_may_be_silent(clock):
    watch = Silence(10.0)
    watch.heard("a")
    clock.now_s += 99.0
    assert watch.too_long(set()) == {}


def test_without_a_limit_nobody_is_watched(clock):
    watch = Silence(None)
    watch.heard("a")
    clock.now_s += 1e9
    assert watch.too_long({"a"}) == {}
