"""What is heard of worker processes, from connections on paper."""

from __future__ import annotations

import msgspec
import pytest

from poptune._running.executors.desk import Desk
from poptune._running.executors.room import Boundless
from poptune._running.executors.worker_processes import ProcessWorkers, _Worker
from poptune._training.protocol import Assignment, CodeReturned, Lost, Result

ASSIGNMENT = Assignment(
    trial="t",
    name="t",
    tag="0",
    folder="t",
    store="t",
    incarnation=0,
    config=b"",
    checkpoint=None,
    iteration=0,
    age=0.0,
    time_total_s=0.0,
    until=None,
    next_save=1,
)


class Paper:
    """A connection that says what it is given, one portion after the other."""

    def __init__(self, *portions):
        self.portions = list(portions)
        self.outputs = {}

    def receive(self):
        return self.portions.pop(0) if self.portions else b""

    def messages(self, portion):
        for said in portion:
            if isinstance(said, str):
                raise msgspec.DecodeError(said)
            yield said


def result(iteration):
    return Result(
        trial="t", incarnation=0, iteration=iteration, metrics={}, checkpoint=None, waiting=False, stop=""
    )


@pytest.fixture
def workers():
    workers = ProcessWorkers.__new__(ProcessWorkers)
    workers._desk = Desk(Boundless(), reuse_workers=True)
    workers._desk.assign(ASSIGNMENT)
    return workers


def test_after_nonsense_nothing_counts_or_a_result_that_was_lost_with_it_would_be_missing(workers):
    paper = Paper([result(1), "nonsense", result(2)], [CodeReturned(trial="t", incarnation=0)])
    worker = _Worker(0, paper, [])
    workers._workers = {0: worker}
    while workers._look(worker) or paper.portions:
        pass
    assert workers._desk.collect() == [result(1)]
    workers._desk.retire(0)
    workers._desk.bury(0, worker.killed_for)
    (lost,) = workers._desk.collect()
    assert isinstance(lost, Lost)
    assert "no message of a worker (nonsense)" in lost.reason


def test_what_makes_sense_is_heard_to_the_end(workers):
    paper = Paper([result(1)], [result(2), CodeReturned(trial="t", incarnation=0)])
    worker = _Worker(0, paper, [])
    workers._workers = {0: worker}
    while workers._look(worker):
        pass
    assert [type(said) for said in workers._desk.collect()] == [Result, Result, CodeReturned]
