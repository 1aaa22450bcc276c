import threading

import pytest
from replayed import InMemory, Machine, prefix_in, record, records_of

from poptune._keeping.mirroring import Mirroring, background
from poptune._keeping.storage import RemoteError
from poptune._keeping.storage.remote_errors import LostLockError
from poptune.errors import ExperimentError, PoptuneWarning, StorageError


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        return record(tmp_path_factory.mktemp("recorded"), patch)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(background, "_EVERY_S", 0.01)
    monkeypatch.setattr(background, "_PAUSE_AT_END_S", 0.01)
    monkeypatch.setattr(background, "_WARN_AFTER_S", 0.05)


class Bench:
    """A machine, a remote folder that can be down, and the mirroring between them."""

    def __init__(self, root, steps):
        self.down: Exception | None = None
        self.lost = False
        self.remote = InMemory(self._before)
        self.machine = Machine(root, steps, self.remote)
        self.mirroring = Mirroring(root, self.remote, self.machine.store, self._confirm)
        self.attempts = 0
        self.checkpoints_may_pass = threading.Event()
        self.checkpoints_may_pass.set()

    @property
    def waiting(self):
        mirror = self.mirroring._mirror
        return mirror.waiting if mirror else 0

    def _before(self):
        self.attempts += 1
        if self.waiting:
            self.checkpoints_may_pass.wait()
        if self.down is not None:
            raise self.down

    def _confirm(self):
        if self.lost:
            raise LostLockError("taken over by process 7")

    def wait_until(self, condition):
        for _ in range(1000):
            if condition():
                return
            threading.Event().wait(0.005)
        raise AssertionError

    @property
    def is_mirrored(self):
        return prefix_in(self.remote) == records_of(self.machine.root)


@pytest.fixture
def bench(tmp_path, steps):
    bench = Bench(tmp_path / "run", steps)
    yield bench
    bench.down = None
    bench.checkpoints_may_pass.set()
    bench.mirroring._closing.set()
    bench.mirroring._wake.set()
    if bench.mirroring._thread.ident:
        bench.mirroring._thread.join()
    bench.machine.close()


def observe(bench):
    bench.mirroring.observe((), None)


def test_what_is_journaled_is_mirrored_while_the_run_goes_on_and_to_the_last_at_its_end(bench):
    bench.mirroring.start()
    assert bench.is_mirrored
    for _ in range(20):
        bench.machine.step()
    bench.wait_until(lambda: bench.is_mirrored)
    while not bench.machine.is_done:
        bench.machine.step()
    bench.mirroring.close()
    assert bench.is_mirrored
    assert "experiment.db" in bench.remote.objects


def test_who_waits_for_the_last_uploads_is_told_what_is_left_and_when_all_is_there(bench, monkeypatch):
    monkeypatch.setattr(background, "_TELL_AFTER_S", 0.01)
    monkeypatch.setattr(background, "_TELL_EVERY_S", 0.01)
    bench.mirroring.start()
    bench.checkpoints_may_pass.clear()
    while not bench.machine.is_done:
        bench.machine.step()
    bench.wait_until(lambda: bench.waiting)
    left = f"{bench.waiting} checkpoint{'s' if bench.waiting > 1 else ''}"
    told = []

    def tell(text):
        told.append(text)
        if len(told) == 2:
            bench.checkpoints_may_pass.set()

    bench.mirroring.close(tell=tell)
    assert told[0] == told[1] == f"The uploads to memory://watched go on; left to bring: {left}"
    assert told[-1] == "All of the experiment is in memory://watched"
    assert bench.is_mirrored


def test_uploads_that_are_done_at_once_are_not_worth_a_word(bench):
    bench.mirroring.start()
    bench.machine.step()
    told = []
    bench.mirroring.close(tell=told.append)
    assert told == []


def test_trouble_that_lasts_is_told_once_and_ends_nothing(bench):
    bench.mirroring.start()
    bench.down = RemoteError("the storage is down")
    bench.machine.step()
    bench.machine.step()
    bench.wait_until(lambda: bench.mirroring._failing_since_s is not None)
    threading.Event().wait(0.06)
    with pytest.warns(PoptuneWarning, match="training goes on.*the storage is down"):
        observe(bench)
    observe(bench)
    bench.down = None
    bench.wait_until(lambda: bench.is_mirrored)
    observe(bench)


def test_trouble_that_passes_is_not_told(bench):
    bench.mirroring.start()
    bench.down = RemoteError("a hiccup")
    bench.machine.step()
    bench.machine.step()
    bench.wait_until(lambda: bench.mirroring._failing_since_s is not None)
    observe(bench)
    bench.down = None
    bench.wait_until(lambda: bench.is_mirrored)


def test_a_storage_that_refuses_from_the_beginning_is_an_error_at_once(bench):
    bench.down = RemoteError("refused", lasts=True)
    with pytest.raises(RemoteError, match="refused"):
        bench.mirroring.start()


def test_a_storage_that_fails_from_the_beginning_is_an_error_when_patience_ends(bench):
    bench.down = RemoteError("down")
    with pytest.raises(RemoteError, match="down"):
        bench.mirroring.start(patience_s=0.05)
    assert bench.attempts > 1


def test_what_cannot_be_brought_at_the_end_is_an_error_that_says_where_it_is(bench):
    bench.mirroring.start()
    bench.down = RemoteError("down")
    bench.machine.step()
    with pytest.raises(StorageError, match=rf"Everything is in {bench.machine.root}.*Tuner.restore.*down"):
        bench.mirroring.close(patience_s=0.1)
    assert bench.attempts > 3


def test_the_run_ends_when_another_controller_has_taken_over(bench):
    bench.mirroring.start()
    before = dict(bench.remote.objects)
    bench.lost = True
    bench.machine.step()
    bench.wait_until(lambda: bench.mirroring._error is not None)
    with pytest.raises(LostLockError, match="process 7"):
        observe(bench)
    with pytest.raises(LostLockError, match="process 7"):
        bench.mirroring.close()
    journal = {name for name in before if "/journal/" in name}
    assert {name for name in bench.remote.objects if "/journal/" in name} == journal


def test_a_fault_of_ours_is_not_swallowed(bench, monkeypatch):
    bench.mirroring.start()
    bench.down = ZeroDivisionError()
    bench.machine.step()
    bench.machine.step()
    bench.wait_until(lambda: bench.mirroring._error is not None)
    with pytest.raises(ZeroDivisionError):
        observe(bench)


def test_what_has_gone_on_elsewhere_is_not_mirrored_over(bench, tmp_path, steps):
    bench.mirroring.start()
    for _ in range(10):
        bench.machine.step()
    bench.wait_until(lambda: bench.is_mirrored)
    other = Machine(tmp_path / "other", steps, bench.remote)
    with pytest.raises(ExperimentError, match="gone on elsewhere"):
        Mirroring(other.root, bench.remote, other.store, lambda: None).start()
    other.close()
