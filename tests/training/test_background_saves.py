"""Saving while the training goes on."""

import threading

import numpy as np
import pytest

from poptune._keeping.checkpoints import Checkpoint, DirectoryStore
from poptune._training.background_saves import BackgroundSaves
from poptune._training.protocol import Idle, Result
from poptune.errors import CheckpointError

DEADLINE_S = 300.0


class Line:
    def __init__(self):
        self.said = []

    def send(self, message):
        self.said.append(message)

    def abandon(self, idle):
        self.said.append(idle)


class SlowStore:
    """Writes when it is told to."""

    def __init__(self, root):
        self.store = DirectoryStore(root)
        self.may_write = threading.Semaphore(0)
        self.fails = False

    def save(self, checkpoint, *, folder, number):
        assert self.may_write.acquire(timeout=DEADLINE_S)
        if self.fails:
            raise CheckpointError("the disk is full")
        self.store.save(checkpoint, folder=folder, number=number)


@pytest.fixture
def line():
    return Line()


@pytest.fixture
def store(tmp_path):
    return SlowStore(tmp_path)


@pytest.fixture
def saves(line, store):
    return BackgroundSaves(line, store)


def result(iteration, checkpoint=None, *, waiting=False, stop=""):
    return Result(
        trial="a",
        incarnation=0,
        iteration=iteration,
        metrics={},
        checkpoint=checkpoint,
        waiting=waiting,
        stop=stop,
    )


def said(line):
    return [message.iteration for message in line.said]


def save(saves, number, state=None):
    saves.save(Checkpoint.from_dict(state or {"n": number}), folder="t", number=number)


def test_a_result_is_said_only_when_its_checkpoint_is_there_and_later_ones_wait_behind_it(saves, line, store):
    saves.send(result(1))
    save(saves, 1)
    saves.send(result(2, 1))
    saves.send(result(3))
    assert said(line) == [1]
    store.may_write.release()
    saves.finish()
    assert said(line) == [1, 2, 3]


def test_the_state_may_change_as_soon_as_it_was_handed_over(saves, store, tmp_path):
    state = np.zeros(10)
    save(saves, 1, {"state": state})
    state[:] = 1
    store.may_write.release()
    saves.finish()
    assert not DirectoryStore(tmp_path).open("t/checkpoint_000001").to_dict()["state"].any()


@pytest.mark.parametrize("last", [result(2, waiting=True), result(2, stop="enough"), Idle(trial="a")])
def test_what_needs_an_answer_or_ends_the_trial_waits_for_all_that_is_being_written(saves, line, store, last):
    save(saves, 1)
    saves.send(result(1, 1))
    threading.Timer(0, store.may_write.release).start()
    saves.send(last)
    assert line.said[-1] == last
    assert len(line.said) == 2


def test_a_checkpoint_that_cannot_be_written_is_an_error_and_no_result_that_follows_it_is_said(
    saves, line, store
):
    store.fails = True
    save(saves, 1)
    saves.send(result(1, 1))
    saves.send(result(2))
    store.may_write.release()
    with pytest.raises(CheckpointError, match="full"):
        saves.send(result(3, waiting=True))
    assert line.said == []


def test_the_error_reaches_the_training_code_at_its_next_save_at_the_latest(saves, line, store):
    store.fails = True
    save(saves, 1)
    saves.send(result(1, 1))
    store.may_write.release()
    saves._wait()
    with pytest.raises(CheckpointError, match="full"):
        save(saves, 2)
    assert line.said == []


def test_files_of_the_users_are_copied_at_once_since_they_may_go(saves, store, tmp_path):
    files = tmp_path / "mine"
    files.mkdir()
    (files / "weights").write_text("w")
    store.may_write.release()
    saves.save(Checkpoint.from_directory(files), folder="t", number=1)
    assert (tmp_path / "t" / "checkpoint_000001" / "weights").exists()


def test_a_worker_that_is_given_up_says_first_what_it_had_saved(saves, line, store):
    save(saves, 1)
    saves.send(result(1, 1))
    store.may_write.release()
    saves.abandon(Idle(trial="a"))
    assert [type(message) for message in line.said] == [Result, Idle]
