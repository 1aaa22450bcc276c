"""Real processes are killed at random moments. `make torture` does it hundreds of times, by other dice."""

import pytest
from torture.kills import Survivor, kill_at_random


@pytest.mark.slow
def test_runs_come_to_their_end_whoever_is_killed_and_lose_nothing(tmp_path):
    kills = 0
    for happened in kill_at_random(tmp_path, kills=6, seed=6, gone_after_s=300.0):
        if isinstance(happened, Survivor):
            assert not happened.problems, happened
        else:
            kills += 1
    assert kills == 6
