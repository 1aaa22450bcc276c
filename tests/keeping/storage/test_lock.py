import json
import threading

import pytest

from poptune._keeping.storage import lock as lock_module
from poptune._keeping.storage.lock import LOCK_NAME, RemoteLock
from poptune._keeping.storage.remote_errors import LostLockError
from poptune.errors import ExperimentError, PoptuneWarning


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(lock_module, "BEAT_S", 0.05)
    monkeypatch.setattr(lock_module, "STALE_S", 0.3)
    monkeypatch.setattr(lock_module, "SETTLE_S", 0.1)


def test_a_lock_is_taken_kept_alive_and_let_go_of(remote):
    lock = RemoteLock.take(remote, "mine")
    first = json.loads(remote.read(LOCK_NAME))
    assert "process" in first["who"]
    while json.loads(remote.read(LOCK_NAME))["beat"] < 2:
        threading.Event().wait(0.01)
    lock.confirm()
    lock.release()
    lock.release()
    assert not remote.sizes()


def test_an_experiment_that_is_alive_is_refused_and_its_owner_named(remote):
    lock = RemoteLock.take(remote, "mine")
    with pytest.warns(PoptuneWarning, match="sign of life"), pytest.raises(ExperimentError, match="process"):
        RemoteLock.take(remote, "yours")
    lock.confirm()
    lock.release()


def stopped(remote, token):
    """A lock whose owner was killed."""
    lock = RemoteLock.take(remote, token)
    lock._ended.set()
    lock._thread.join()
    return lock


def test_what_a_dead_one_holds_is_taken_over_after_a_while(remote):
    dead = stopped(remote, "mine")
    with pytest.warns(PoptuneWarning, match="sign of life"):
        lock = RemoteLock.take(remote, "yours")
    lock.confirm()
    assert dead._is_mine(None) is False
    lock.release()


def test_the_same_folder_takes_over_at_once(remote):
    stopped(remote, "mine")
    RemoteLock.take(remote, "mine").release()


def test_who_was_thought_dead_and_wakes_up_learns_it_and_writes_no_more(remote):
    asleep = stopped(remote, "mine")
    lock = RemoteLock.take(remote, "mine")
    with pytest.raises(LostLockError, match="taken over by process"):
        asleep._beat()
    with pytest.raises(LostLockError):
        asleep.confirm()
    asleep._ended.clear()
    asleep.release()
    assert remote.sizes()
    lock.release()


def test_a_lock_of_an_hour_ago_is_a_dead_ones(remote):
    stopped(remote, "mine")
    fields = json.loads(remote.read(LOCK_NAME))
    remote.write(LOCK_NAME, json.dumps(fields | {"time_s": fields["time_s"] - 4000}).encode())
    RemoteLock.take(remote, "yours").release()


def test_who_writes_a_little_later_without_having_seen_it_has_it_alone(remote, monkeypatch):
    write, later = lock_module._write, []

    def write_and_be_overwritten_later(remote, holder):
        write(remote, holder)
        if not later:
            content = json.dumps({**json.loads(remote.read(LOCK_NAME)), "session": "x", "who": "process 7"})
            later.append(threading.Timer(0.03, remote.write, (LOCK_NAME, content.encode())))
            later[0].start()

    monkeypatch.setattr(lock_module, "_write", write_and_be_overwritten_later)
    with pytest.raises(ExperimentError, match="process 7"):
        RemoteLock.take(remote, "mine")
    later[0].join()


def test_of_two_who_take_it_in_the_same_moment_the_later_one_has_it(remote, monkeypatch):
    write, others = (
        lock_module._write,
        {"session": "x", "token": "x", "who": "process 7", "beat": 0, "time_s": 0},
    )

    def write_and_be_overwritten(remote, holder):
        write(remote, holder)
        remote.write(LOCK_NAME, json.dumps(others).encode())

    monkeypatch.setattr(lock_module, "_write", write_and_be_overwritten)
    with pytest.raises(ExperimentError, match="process 7"):
        RemoteLock.take(remote, "mine")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"session": 1}'])
def test_a_lock_that_was_not_written_to_its_end_holds_nothing(remote, content):
    remote.write(LOCK_NAME, content)
    RemoteLock.take(remote, "mine").release()
