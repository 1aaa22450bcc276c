"""Of two controllers on one experiment the second is refused, and a dead one holds nothing."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

import poptune as tune
from poptune._base.layout import Layout
from poptune._running.tuner.lock import ExperimentLock


@pytest.fixture
def path(tmp_path):
    return Layout(tmp_path).lock


def test_what_is_held_is_refused_with_its_owner_and_what_to_do(path):
    lock = ExperimentLock.take(path)
    with pytest.raises(tune.ExperimentError, match=rf"run by process {os.getpid()} on .*: wait until"):
        ExperimentLock.take(path)
    lock.release()
    ExperimentLock.take(path).release()


def test_a_lock_that_was_let_go_leaves_no_file(path):
    lock = ExperimentLock.take(path)
    assert path.is_file()
    lock.release()
    lock.release()
    assert not path.exists()


def test_on_a_full_disk_it_has_no_name_but_holds_and_is_let_go(path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        lock = ExperimentLock.take(path)
    with pytest.raises(tune.ExperimentError, match="run by another process"):
        ExperimentLock.take(path)
    lock.release()
    ExperimentLock.take(path).release()


def test_a_file_that_nobody_holds_locks_nothing(path):
    path.write_text("process 1 on a machine that was switched off\n")
    ExperimentLock.take(path).release()


def test_a_release_leaves_the_file_of_a_later_owner_alone(path):
    lock = ExperimentLock.take(path)
    path.unlink()
    later = ExperimentLock.take(path)
    lock.release()
    assert path.exists()
    with pytest.raises(tune.ExperimentError):
        ExperimentLock.take(path)
    later.release()


def test_a_lock_whose_file_is_removed_while_it_is_taken_is_taken_anew(path, monkeypatch):
    first = ExperimentLock.take(path)
    real = fcntl.flock
    calls = []

    def flock(descriptor, how):
        calls.append(descriptor)
        if len(calls) == 1:
            first.release()
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    lock = ExperimentLock.take(path)
    assert len(calls) == 2
    with pytest.raises(tune.ExperimentError):
        ExperimentLock.take(path)
    lock.release()


def test_what_stands_in_the_file_of_another_is_shown_without_control_characters(path):
    lock = ExperimentLock.take(path)
    path.write_bytes(b"\x1b[2Jprocess\x00 \xff" + b"x" * 1000)
    with pytest.raises(tune.ExperimentError) as refused:
        ExperimentLock.take(path)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 600
    lock.release()


def test_where_there_are_no_locks_one_is_warned_and_goes_on(path, monkeypatch):
    def flock(descriptor, how):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.warns(tune.PoptuneWarning, match="has no locks .Operation not supported"):
        lock = ExperimentLock.take(path)
    lock.release()


def test_a_forked_child_does_not_keep_the_lock(path):
    lock = ExperimentLock.take(path)
    alive, end = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(end[1])
        os.write(alive[1], b"!")
        os.read(end[0], 1)
        os._exit(0)
    os.read(alive[0], 1)
    with pytest.raises(tune.ExperimentError):
        ExperimentLock.take(path)
    lock._let_go()  # as the system does when this process dies
    ExperimentLock.take(path).release()
    for descriptor in (*alive, *end):
        os.close(descriptor)
    os.waitpid(child, 0)


HOLDER = """
    import sys
    import poptune as tune

    def train(config):
        for step in range(1, 4):
            tune.report({"loss": 1.0 / step})
            if step == 2 and sys.argv[2] == "hold":
                print("holding", file=sys.__stdout__, flush=True)
                sys.stdin.read()

    if __name__ == "__main__":
        tune.Tuner(
            train,
            tune_config=tune.TuneConfig(metric="loss", mode="min", num_samples=2),
            run_config=tune.RunConfig(
                storage_path=sys.argv[1], name="run", executor="inline", verbose=0
            ),
        ).fit()
"""


@pytest.fixture
def holder(tmp_path):
    """A process in the middle of the experiment `run`."""
    script = tmp_path / "holder.py"
    script.write_text(textwrap.dedent(HOLDER))
    process = subprocess.Popen(
        [sys.executable, script, tmp_path, "hold"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "holding\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def train(config):
    for step in range(1, 4):
        tune.report({"loss": 1.0 / step})


def new_experiment(path):
    return tune.Tuner(
        train,
        tune_config=tune.TuneConfig(metric="loss", mode="min", num_samples=2),
        run_config=tune.RunConfig(storage_path=path, name="run", executor="inline", verbose=0),
    )


@pytest.mark.slow
def test_an_experiment_that_another_process_runs_is_refused_until_that_process_is_dead(tmp_path, holder):
    restored = tune.Tuner.restore(tmp_path / "run", trainable=train)
    objects = (tmp_path / "run" / "objects.pkl").read_bytes()
    with pytest.raises(tune.ExperimentError, match=f"is being run by process {holder.pid} on "):
        restored.fit()
    with pytest.raises(tune.ExperimentError, match=f"is being run by process {holder.pid} on "):
        new_experiment(tmp_path).fit()
    assert len(tune.ResultGrid.from_path(tmp_path / "run")) == 2, "readers need no lock"
    assert (tmp_path / "run" / "objects.pkl").read_bytes() == objects
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert Layout(tmp_path / "run").lock.is_file()
    assert restored.fit().num_terminated == 2
    assert not Layout(tmp_path / "run").lock.exists()


def test_an_experiment_that_a_thread_of_this_process_runs_is_refused(tmp_path):
    arrived, go_on = threading.Event(), threading.Event()

    def wait(config):
        tune.report({"loss": 1.0})
        arrived.set()
        go_on.wait()

    tuner = tune.Tuner(
        wait,
        tune_config=tune.TuneConfig(metric="loss", mode="min"),
        run_config=tune.RunConfig(storage_path=tmp_path, name="run", executor="inline", verbose=0),
    )
    thread = threading.Thread(target=tuner.fit)
    thread.start()
    arrived.wait()
    try:
        with pytest.raises(tune.ExperimentError, match=f"is being run by process {os.getpid()} on "):
            tune.Tuner.restore(tmp_path / "run", trainable=train).fit()
        with pytest.raises(tune.ExperimentError, match="is being run by"):
            tuner.fit()
    finally:
        go_on.set()
        thread.join()
    with pytest.warns(tune.PoptuneWarning, match="nothing to train"):
        assert tuner.fit().num_terminated == 1


@pytest.mark.slow
def test_an_experiment_that_ended_before_the_lock_was_free_is_not_gone_on_with(tmp_path, holder):
    holder.kill()
    holder.wait()
    late, first = (tune.Tuner.restore(tmp_path / "run", trainable=train) for _ in range(2))
    first.fit()
    before = Layout(tmp_path / "run").journal.stat().st_size
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(late._folder), "is_completed", False)
        results = late.fit()
    assert results.num_terminated == 2
    assert Layout(tmp_path / "run").journal.stat().st_size == before


def test_an_experiment_that_never_came_to_its_journal_lets_go_of_its_lock(tmp_path, monkeypatch):
    def fail(*arguments):
        raise tune.JournalError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("poptune._running.tuner.run.SqliteJournal.create", fail)
        with pytest.raises(tune.JournalError):
            new_experiment(tmp_path).fit()
    Layout(tmp_path / "run").lock.write_text("process 1 on a dead machine\n")
    assert new_experiment(tmp_path).fit().num_terminated == 2


def test_a_finished_experiment_is_moved_aside_without_its_lock(tmp_path):
    for _ in range(2):
        new_experiment(tmp_path).fit()
    assert not list(tmp_path.rglob("*.lock"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "run.1"]
