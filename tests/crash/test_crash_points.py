"""The controller dies at each moment of a small run. `make torture` does it with larger ones, too."""

import pytest
from torture.climbing import Climb
from torture.crashing import crash_everywhere, crash_twice_everywhere


def crashes(tried):
    """Return how many crashes were tried; each must have left nothing wrong behind."""
    count = 0
    for one in tried:
        assert one.problems == [], f"after a crash before {one.where}"
        count += 1
    return count


def test_a_synchronous_run_that_dies_at_any_moment_and_is_restored_equals_one_that_did_not(tmp_path):
    assert crashes(crash_everywhere(Climb(synch=True), tmp_path)) > 150


def test_an_asynchronous_run_that_dies_at_any_moment_loses_and_doubles_nothing(tmp_path):
    assert crashes(crash_everywhere(Climb(synch=False), tmp_path, every=4)) > 40


@pytest.mark.filterwarnings("ignore::poptune.errors.PoptuneWarning")
def test_dying_between_checkpoints_loses_no_more_than_was_not_saved(tmp_path):
    climb = Climb(synch=True, save_every=3, slots=2, iterations=6)
    assert crashes(crash_everywhere(climb, tmp_path, every=3)) > 20


def test_a_run_that_dies_again_while_it_is_resumed_equals_one_that_did_not(tmp_path):
    climb = Climb(synch=True, trials=2, iterations=4)
    assert crashes(crash_twice_everywhere(climb, tmp_path, every=16)) > 50
