"""What the controller's side does between the messages of a worker, with a test in the worker's place."""

import os
import signal
import socket
from functools import cached_property

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from poptune._running.executors import worker_processes
from poptune._running.executors.base import Work
from poptune._running.executors.launching import Birth, Death
from poptune._running.executors.processes import ProcessExecutor
from poptune._training.protocol import (
    Assignment,
    CodeFailed,
    CodeReturned,
    Idle,
    Lost,
    Message,
    Output,
    ProceedOrder,
    QuitOrder,
    ReleaseOrder,
    Result,
    Terms,
)
from poptune._training.ring import Ring
from poptune._training.trainable import prepare
from poptune._training.wire import framed, receive_frame
from poptune._training.worker import WorkerChannel


class FakeWorker:
    """The other end of a worker's line."""

    def __init__(self, key, environment, descriptors):
        line, self.stdout, self.stderr = (os.dup(descriptor) for descriptor in descriptors)
        self.key, self.environment = key, environment
        self.line = socket.socket(fileno=line)

    @cached_property
    def channel(self):
        (ring,) = receive_frame(self.line, descriptors=1).descriptors
        try:
            return WorkerChannel(self.line, Ring(ring))
        finally:
            os.close(ring)

    def say(self, *messages: Message):
        for message in messages:
            self.channel.send(message)

    def orders(self):
        """What it was told since it was last asked."""
        return list(iter(self.channel.poll, None))

    def close(self):
        self.line.close()
        os.close(self.stdout)
        os.close(self.stderr)


class FakeLaunching:
    def __init__(self, **options):
        self.bell, self.button = socket.socketpair()
        self.sources = [self.bell]
        self.workers = []
        self.events = []

    def preload(self, modules, **options):
        pass

    def launch(self, key, environment, descriptors):
        self.workers.append(FakeWorker(key, environment, descriptors))

    def die(self, worker, status):
        worker.close()
        self.events.append(Death(worker.key, status))
        self.button.send(b"!")

    def hear(self):
        self.bell.recv(99)
        heard, self.events = self.events, []
        return heard

    def close(self, *, at_once):
        self.bell.close()
        self.button.close()


def train(config):
    raise AssertionError("nobody runs it here")


@pytest.fixture
def make(monkeypatch, tmp_path):
    monkeypatch.setattr(worker_processes, "Launching", FakeLaunching)
    monkeypatch.setattr(worker_processes, "launching", FakeLaunching)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    made = []

    def make(*, gpu=0.0, reuse_workers=True):
        terms = Terms(
            experiment_name="run",
            experiment_path=str(tmp_path),
            stop={},
            stop_population={},
            time_attr="training_iteration",
            metric=None,
            require_attrs=True,
            lockstep=False,
            save_at_milestones=False,
            checkpoint_frequency=0,
            checkpoint_at_end=False,
            resources={"gpu": gpu},
        )
        work = Work(prepared=prepare(train), terms=terms, slots=2, reuse_workers=reuse_workers)
        made.append(ProcessExecutor().open(work))
        return made[0], made[0]._launching

    def end():
        while made:
            workers = made.pop()
            for worker in workers._launching.workers:
                if worker.line.fileno() >= 0:
                    workers._launching.die(worker, 0)
            workers.close(1.0)

    make.end = end
    yield make
    end()


def assignment(trial, incarnation=0):
    return Assignment(
        trial=trial,
        name=trial,
        tag=trial,
        folder=trial,
        store=trial,
        incarnation=incarnation,
        config=b"",
        checkpoint=None,
        iteration=0,
        age=0.0,
        time_total_s=0.0,
        until=None,
        next_save=1,
    )


def last_result(trial):
    return Result(
        trial=trial, incarnation=0, iteration=1, metrics={}, checkpoint=None, waiting=False, stop="over"
    )


@pytest.mark.parametrize("word", ["failed", "returned", "stopped", "unwound"])
@pytest.mark.parametrize("reusable", [True, False])
def test_whoever_leaves_a_trial_gets_the_next_only_when_it_has_left(make, word, reusable):
    workers, launching = make()
    workers.assign(assignment("a"))
    (worker,) = launching.workers
    last = {
        "failed": CodeFailed(trial="a", incarnation=0, error="boom"),
        "returned": CodeReturned(trial="a", incarnation=0),
        "stopped": last_result("a"),
    }.get(word)
    if last is None:
        workers.release("a")
    else:
        worker.say(last)
        assert workers.poll(1.0) == [last]
    orders = [Assignment, ReleaseOrder] if last is None else [Assignment]
    assert [type(order) for order in worker.orders()] == orders
    again = assignment("a", 1)
    workers.assign(again)
    assert worker.orders() == [], "it has not left its code yet"
    assert len(launching.workers) == 1, "and no more trials are to be in memory"
    worker.say(Idle(trial="a", reusable=reusable))
    assert workers.poll(1.0) == []
    if reusable:
        assert worker.orders() == [again]
    else:
        assert worker.orders() == [QuitOrder()]
        launching.die(worker, 0)
        assert workers.poll(1.0) == []
        assert launching.workers[1].orders() == [again]
    successor = launching.workers[-1]
    workers.proceed(ProceedOrder(trial="a", incarnation=1, until=3))
    assert successor.orders() == [ProceedOrder(trial="a", incarnation=1, until=3)]
    launching.die(successor, -9)
    (lost,) = workers.poll(1.0)
    assert (lost.trial, "SIGKILL" in lost.reason) == ("a", True)


def test_only_as_many_assignments_wait_as_workers_leave(make):
    workers, launching = make()
    workers.assign(assignment("a"))
    workers.release("a")
    workers.assign(assignment("b"))
    workers.assign(assignment("c"))
    first, second = launching.workers
    assert second.orders() == [assignment("c")]
    workers.release("b")  # while it is still in line
    first.orders()
    first.say(Idle(trial="a"))
    workers.poll(1.0)
    assert first.orders() == []


def test_an_assignment_that_the_code_could_not_be_left_for_is_anothers(make):
    workers, launching = make()
    workers.assign(assignment("a"))
    workers.assign(assignment("a", 1))
    (worker,) = launching.workers
    assert [order.incarnation for order in worker.orders()] == [0, 1]
    worker.say(Idle(trial="a", reusable=False, replace=True))
    launching.die(worker, 1)
    assert workers.poll(1.0) == []
    assert launching.workers[1].orders() == [assignment("a", 1)]


def test_what_a_dead_worker_had_said_is_heard_before_its_death(make):
    workers, launching = make()
    workers.assign(assignment("a"))
    (worker,) = launching.workers
    os.write(worker.stdout, b"printed\nunfinished")
    worker.say(CodeReturned(trial="a", incarnation=0), Idle(trial="a"))
    launching.die(worker, -11)
    heard = []
    while len(heard) < 3:
        heard.extend(workers.poll(1.0))
    assert heard == [
        Output(trial="a", stream="stdout", line="printed"),
        Output(trial="a", stream="stdout", line="unfinished"),
        CodeReturned(trial="a", incarnation=0),
    ] or heard == [
        Output(trial="a", stream="stdout", line="printed"),
        CodeReturned(trial="a", incarnation=0),
        Output(trial="a", stream="stdout", line="unfinished"),
    ]
    assert workers.poll(0.0) == []


def test_the_dead_get_nothing_to_do(make):
    workers, launching = make()
    workers.assign(assignment("a"))
    workers.release("a")
    workers.assign(assignment("b"))
    (worker,) = launching.workers
    launching.events.append(Death(worker.key, 0))
    launching.button.send(b"!")  # its death is heard first
    worker.say(Idle(trial="a"))
    worker.close()
    assert workers.poll(1.0) == []
    assert launching.workers[1].orders() == [assignment("b")]


def test_each_line_is_of_the_trial_that_has_printed_it(make):
    workers, launching = make()
    workers.assign(assignment("a"))
    (worker,) = launching.workers
    worker.say(last_result("a"))  # so that this line is the first to be readable
    os.write(worker.stdout, b"of a\nlast of a")
    worker.say(Idle(trial="a"))
    heard = list(workers.poll(1.0))
    workers.assign(assignment("b"))
    os.write(worker.stderr, b"of b\n")
    worker.say(CodeReturned(trial="b", incarnation=0))
    heard += workers.poll(1.0)
    lines = [(said.trial, said.stream, said.line) for said in heard if isinstance(said, Output)]
    assert lines == [("a", "stdout", "of a"), ("a", "stdout", "last of a"), ("b", "stderr", "of b")]


def test_a_worker_that_leaves_keeps_its_gpu_until_it_is_gone(make):
    workers, launching = make(gpu=1.0, reuse_workers=False)
    for trial in "ab":
        workers.assign(assignment(trial))
    first, _ = launching.workers
    workers.release("a")
    first.say(Idle(trial="a"))
    workers.poll(1.0)
    workers.assign(assignment("c"))
    assert len(launching.workers) == 2
    launching.die(first, 0)
    workers.poll(1.0)
    seen = [worker.environment["CUDA_VISIBLE_DEVICES"] for worker in launching.workers]
    assert seen == ["0", "1", "0"]


def test_a_loss_names_an_unknown_signal_by_its_number(make):
    workers, launching = make()
    workers.assign(assignment("a"))
    launching.die(launching.workers[0], -40)
    (lost,) = workers.poll(1.0)
    assert lost == Lost(trial="a", reason="its worker process was ended by signal 40")


def heard(workers):
    """All that is heard until there is silence."""
    found = []
    while messages := workers.poll(0.0):
        found += messages
    return found


GARBAGE = [
    framed(b""),
    framed(b"\xff"),
    framed(msgspec.msgpack.encode({"type": "result"})),
    framed(msgspec.msgpack.encode({"type": "weather"})),
    framed(
        msgspec.msgpack.encode(CodeFailed(trial="a", incarnation=0, error="e")).replace(b"\xa1e", b"\xa1\xff")
    ),
    framed(msgspec.msgpack.encode(last_result("b"))),
    framed(b"\x91" * 5000),
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_a_worker_that_talks_nonsense_is_ended_and_costs_only_its_trial(make, garbage):
    workers, launching = make()
    for trial in "ab":
        workers.assign(assignment(trial))
    odd, good = launching.workers
    odd.say(Result(trial="a", incarnation=0, iteration=1, metrics={}, checkpoint=None, waiting=True, stop=""))
    odd.channel._ring.write(garbage)
    good.say(last_result("b"))
    assert sorted(message.trial for message in heard(workers)) == ["a", "b"]
    launching.die(odd, -9)
    (lost,) = heard(workers)
    assert lost.trial == "a"
    assert "its worker process said what is no message of a worker" in lost.reason


def test_a_worker_that_talks_nonsense_before_its_process_is_known_is_ended_then(make, monkeypatch):
    killed = []
    monkeypatch.setattr(os, "kill", lambda pid, which: killed.append((pid, which)))
    workers, launching = make()
    workers.assign(assignment("a"))
    (worker,) = launching.workers
    worker.channel._ring.write(framed(b"nonsense"))
    assert heard(workers) == []
    assert killed == []
    launching.events.append(Birth(worker.key, 4711))
    launching.button.send(b"!")
    workers.poll(1.0)
    assert killed == [(4711, signal.SIGKILL)]
    monkeypatch.undo()


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    data=st.binary(max_size=200)
    | st.lists(st.binary(max_size=40), max_size=4).map(lambda bodies: b"".join(map(framed, bodies))),
    counters=st.none() | st.tuples(st.sampled_from([0, 8]), st.integers(0, 2**64 - 1)),
)
def test_whatever_a_worker_writes_the_others_are_heard(make, data, counters):
    workers, launching = make()
    for trial in "ab":
        workers.assign(assignment(trial))
    odd, good = launching.workers
    odd.channel._ring.write(data)
    if counters is not None:
        odd.channel._ring._counters[counters[0]] = counters[1]
    good.say(last_result("b"))
    assert "b" in [message.trial for message in heard(workers)]
    launching.die(odd, -9)
    assert "a" in [message.trial for message in heard(workers)]
    make.end()
