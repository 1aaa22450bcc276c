import random

import pytest

from poptune._keeping.storage.remote_errors import RemoteError
from poptune._keeping.storage.retry import BackOff, persistently


class Clock:
    def __init__(self):
        self.now_s = 0.0
        self.pauses = []

    def rest(self, pause_s):
        self.pauses.append(pause_s)
        self.now_s += pause_s

    def __call__(self):
        return self.now_s


def failing(times, *, lasts=False):
    left = [times]

    def act():
        if left[0]:
            left[0] -= 1
            raise RemoteError("not now", lasts=lasts)
        return "done"

    return act


def test_what_fails_a_few_times_is_done_after_pauses_that_double():
    clock = Clock()
    assert persistently(failing(5), patience_s=60, rest=clock.rest, clock=clock) == "done"
    assert len(clock.pauses) == 5
    assert all(0.1 * 2**n <= pause <= 0.2 * 2**n for n, pause in enumerate(clock.pauses))


def test_patience_has_an_end():
    clock = Clock()
    with pytest.raises(RemoteError):
        persistently(failing(1000), patience_s=60, rest=clock.rest, clock=clock)
    assert 30 < clock.now_s <= 60


def test_what_lasts_is_not_tried_again():
    clock = Clock()
    with pytest.raises(RemoteError):
        persistently(failing(1, lasts=True), patience_s=60, rest=clock.rest, clock=clock)
    assert not clock.pauses


def test_pauses_have_a_longest_and_begin_anew_after_a_success():
    back_off = BackOff(first_s=1, longest_s=4)
    assert [back_off.pause_s() > 1.99 for _ in range(8)][-1]
    assert all(back_off.pause_s() <= 4 for _ in range(8))
    back_off.reset()
    assert back_off.pause_s() <= 1


def test_the_jitter_touches_no_global_random_numbers():
    random.seed(3)
    expected = random.Random(3).random()
    BackOff().pause_s()
    assert random.random() == expected
