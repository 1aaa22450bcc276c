"""Deleting beside the loop."""

from dataclasses import dataclass, field

import pytest

from poptune._core.scheduler import CheckpointRef
from poptune._running.controller.cleaning import Cleaning
from poptune.errors import CheckpointError, CorruptCheckpointError


@dataclass
class Member:
    checkpoint: CheckpointRef | None = None
    failures: int = 0
    saved: list[CheckpointRef] = field(default_factory=list)


@dataclass
class Members:
    trials: list[Member] = field(default_factory=list)


class Disk:
    """Store and journal in one; tells what it was asked for."""

    def __init__(self):
        self.story = []
        self.fails = False

    def sync(self, path="journal"):
        self.story.append(f"sync {path}")

    def delete(self, path):
        if self.fails:
            raise CheckpointError(f"{path} must be deleted, but the disk is gone")
        self.story.append(f"delete {path}")


def ref(number, trial="a"):
    return CheckpointRef(
        id=f"{trial}/{number}",
        trial=trial,
        path=f"{trial}/{number}",
        number=number,
        iteration=number,
        age=float(number),
        time_total_s=0.0,
        score=None,
        report=number,
    )


@pytest.fixture
def disk():
    return Disk()


def test_what_is_needed_now_is_on_the_disk_before_anything_older_goes(disk):
    cleaning = Cleaning(Members([Member(ref(2)), Member(), Member(ref(5, "b"))]), disk, disk)
    cleaning.add(ref(1))
    cleaning.add(ref(4, "b"))
    cleaning.close()
    assert disk.story == ["sync a/2", "sync b/5", "sync journal", "delete a/1", "delete b/4"]


def test_what_is_on_the_disk_already_is_not_brought_there_again(disk):
    members = Members([Member(ref(2)), Member(ref(5, "b"))])
    cleaning = Cleaning(members, disk, disk)
    cleaning.add(ref(1))
    cleaning.tidy()
    cleaning._under_way.result()
    disk.story.clear()
    members.trials[0].checkpoint = ref(3)
    cleaning.add(ref(2))
    cleaning.close()
    assert disk.story == ["sync a/3", "sync journal", "delete a/2"]


def test_where_nothing_is_to_be_deleted_nothing_is_done(disk):
    cleaning = Cleaning(Members([Member(ref(1))]), disk, disk)
    cleaning.tidy()
    cleaning.close()
    assert disk.story == []
    assert cleaning._thread is None


def test_a_disk_that_fails_is_told_at_the_next_turn_or_at_the_end(disk):
    disk.fails = True
    cleaning = Cleaning(Members(), disk, disk)
    cleaning.add(ref(1))
    cleaning.tidy()
    cleaning._under_way.exception()
    with pytest.raises(CheckpointError, match="the disk is gone"):
        cleaning.tidy()
    cleaning.add(ref(2))
    with pytest.raises(CheckpointError, match="the disk is gone"):
        cleaning.close()


def test_a_checkpoint_that_somebody_has_removed_keeps_nobody_from_cleaning_up(disk):
    def vanished(path="journal"):
        if path == "a/2":
            raise CorruptCheckpointError(f"{path} has been deleted")

    disk.sync = vanished
    cleaning = Cleaning(Members([Member(ref(2))]), disk, disk)
    cleaning.add(ref(1))
    cleaning.close()
    assert disk.story == ["delete a/1"]


def test_what_a_worker_has_left_that_died_amid_a_save_goes_at_the_end(disk):
    swept = []
    disk.sweep = swept.append
    Cleaning(Members([Member(ref(2))]), disk, disk).close()
    assert swept == []
    Cleaning(Members([Member(ref(2), failures=1, saved=[ref(2)])]), disk, disk).close()
    assert swept == [{"a/2"}]
