"""Checkpoints that are gone, torn or changed when a trial needs them: it goes on from an older one."""

import pytest
from torture.climbing import Climb
from torture.damage import damage_before_resumes, damage_before_starts

import poptune as tune

pytestmark = pytest.mark.slow


def damages(tried):
    """Return how many checkpoints were damaged; none may have left anything wrong behind."""
    count = 0
    for one in tried:
        assert one.problems == [], one.where
        count += 1
    return count


@pytest.mark.parametrize("num_to_keep", [1, 2])
def test_a_run_whose_checkpoints_were_damaged_while_it_lay_still_comes_to_its_end(tmp_path, num_to_keep):
    climb = Climb(synch=True, num_to_keep=num_to_keep)
    assert damages(damage_before_resumes(climb, tmp_path, every=90)) >= 4


def test_a_checkpoint_that_is_damaged_when_it_is_to_be_copied_costs_nobody_a_failure(tmp_path):
    assert damages(damage_before_starts(Climb(synch=False, slots=2), tmp_path)) >= 4


def test_a_worker_process_says_so_too(tmp_path):
    climb = Climb(synch=True, trials=4, iterations=4, slots=2)
    executor = tune.ProcessExecutor(slots=2)
    assert damages(damage_before_starts(climb, tmp_path, executor)) >= 4
