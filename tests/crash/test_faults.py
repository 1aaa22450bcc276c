"""The disk fails at some operation. `make torture` has each of them fail."""

import pytest
from torture.climbing import Climb
from torture.faults import fault_everywhere, fill_up
from torture.mounting import small_disk

pytestmark = pytest.mark.slow
CLIMB = Climb(synch=True, iterations=4, max_failures=2)


def wrong(tried):
    """Return what went wrong, and where."""
    tried = list(tried)
    assert len(tried) > 5
    return [(one.where, one.problems) for one in tried if one.problems]


@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EACCES"])
def test_a_file_operation_that_fails_once_loses_nothing(tmp_path, error):
    assert wrong(fault_everywhere(CLIMB, tmp_path, errors=[error], every=23)) == []


def test_a_disk_that_refuses_all_ends_the_run_in_an_error_of_ours_and_loses_nothing(tmp_path):
    assert wrong(fault_everywhere(CLIMB, tmp_path, errors=["ENOSPC"], lasts=True, every=13)) == []


def test_a_disk_that_is_really_full_ends_the_run_in_an_error_of_ours_and_loses_nothing(tmp_path):
    with small_disk(tmp_path / "small") as disk:
        if disk is None:
            pytest.skip("mounting is not allowed here")
        assert wrong(fill_up(Climb(synch=False, max_failures=2), disk, rooms_kb=range(20, 380, 30))) == []
