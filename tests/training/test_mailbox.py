"""The worker's end of a line over calls: threads here stand for the calls."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from poptune._base.types import TrialId
from poptune._training.mailbox import CAPACITY_BYTES, Mailbox
from poptune._training.protocol import (
    Assignment,
    Idle,
    Message,
    Order,
    Output,
    ProceedOrder,
    QuitOrder,
    Result,
    SaveOrder,
)
from poptune._training.wire import Inbox

A = TrialId("69158_00000")
DEADLINE_S = 300.0


def result(iteration=1, **overrides):
    settings = {"metrics": {}, "checkpoint": None, "waiting": False, "stop": "", **overrides}
    return Result(trial=A, incarnation=0, iteration=iteration, **settings)


def assignment():
    return Assignment(
        trial=A,
        name="a",
        tag="a",
        folder="a",
        store="a",
        incarnation=0,
        config=b"",
        checkpoint=None,
        iteration=0,
        age=0.0,
        time_total_s=0.0,
        until=None,
        next_save=1,
    )


def encoded(order: Order) -> bytes:
    return msgspec.msgpack.encode(order)


def messages(batch):
    return [msgspec.msgpack.decode(frame, type=Message) for frame in Inbox().add(batch.frames)]


@pytest.fixture
def calls():
    with ThreadPoolExecutor(4) as pool:
        yield pool.submit


def test_what_cannot_wait_is_fetched_with_all_that_was_said_before_it():
    mailbox = Mailbox()
    mailbox.send(result(1))
    mailbox.send(result(2, waiting=True))
    batch = mailbox.fetch(0)
    assert batch.number == 1
    assert [message.iteration for message in messages(batch)] == [1, 2]


def test_who_fetches_waits_for_the_first_word(calls):
    mailbox = Mailbox()
    fetching = calls(mailbox.fetch, 0)
    mailbox.send(result(1))
    assert [message.iteration for message in messages(fetching.result(DEADLINE_S))] == [1]


def test_a_batch_is_handed_over_until_the_next_is_asked_for():
    mailbox = Mailbox()
    mailbox.send(result(1, waiting=True))
    first = mailbox.fetch(0)
    assert mailbox.fetch(0) == first, "the answer was lost on its way"
    mailbox.send(result(2, waiting=True))
    assert [message.iteration for message in messages(mailbox.fetch(first.number))] == [2]


def test_an_order_is_obeyed_once_and_in_its_turn_however_it_comes():
    mailbox = Mailbox()
    first, second, third = assignment(), ProceedOrder(trial=A, incarnation=0, until=3.0), QuitOrder()
    mailbox.deliver(2, encoded(second))
    assert mailbox.poll() is None
    mailbox.deliver(1, encoded(first))
    mailbox.deliver(1, encoded(first))
    mailbox.deliver(2, encoded(second))
    mailbox.deliver(3, encoded(third))
    assert [mailbox.receive(), mailbox.receive(), mailbox.poll(), mailbox.poll()] == [
        first,
        second,
        third,
        None,
    ]


def test_who_says_more_than_fits_waits_until_it_is_fetched(calls):
    mailbox = Mailbox()
    large = result(1, metrics={"text": "x" * (CAPACITY_BYTES + 1)})
    mailbox.send(large)
    sending = calls(mailbox.send, result(2, waiting=True))
    assert len(messages(first := mailbox.fetch(0))) == 1
    sending.result(DEADLINE_S)
    assert [message.iteration for message in messages(mailbox.fetch(first.number))] == [2]


def test_a_worker_that_is_told_to_end_saves_with_its_next_result_and_leaves(calls):
    mailbox = Mailbox()
    mailbox.deliver(1, encoded(assignment()))
    mailbox.receive()
    leaving = calls(mailbox.leave, DEADLINE_S)
    while (order := mailbox.poll()) is None:
        pass
    assert order == SaveOrder(trial=A)
    mailbox.send(result(1))
    mailbox.send(result(2, checkpoint=1))
    leaving.result(DEADLINE_S)
    batch = mailbox.fetch(0)
    assert batch.leaves
    assert [message.checkpoint for message in messages(batch)] == [None, 1]


def test_a_worker_that_trains_nothing_leaves_at_once():
    mailbox = Mailbox()
    mailbox.leave(DEADLINE_S)
    assert mailbox.fetch(0).leaves


def test_the_last_batch_says_that_it_is_the_last():
    mailbox = Mailbox()
    mailbox.send(result(1))
    mailbox.close()
    batch = mailbox.fetch(0)
    assert batch.is_last
    assert len(messages(batch)) == 1


def test_a_worker_that_gives_itself_up_says_so_and_stays():
    mailbox = Mailbox()
    threading.Thread(target=mailbox.abandon, args=[Idle(trial=A, reusable=False)], daemon=True).start()
    assert messages(mailbox.fetch(0)) == [Idle(trial=A, reusable=False)]


PRINTING = """
import os, sys
from pathlib import Path

from poptune._training.captured_output import Captured
from poptune._training.mailbox import Mailbox
from poptune._training.protocol import Idle, Result

mailbox = Mailbox(Captured())
os.write(1, b"nobody's\\n")
mailbox.deliver(1, Path(sys.argv[1]).read_bytes())
trial = mailbox.receive().trial
print("whole")
os.system("echo by another program >&2")
print("half", end="")
facts = {"incarnation": 0, "iteration": 1, "metrics": {}, "checkpoint": None, "stop": ""}
mailbox.send(Result(trial=trial, waiting=True, **facts))
first = mailbox.fetch(0)
mailbox.send(Idle(trial=trial))
Path(sys.argv[1]).write_bytes(first.frames + mailbox.fetch(first.number).frames)
os._exit(0)
"""


def test_what_a_trial_prints_comes_before_what_it_says_and_whole_with_its_end(tmp_path):
    file = tmp_path / "frames"
    file.write_bytes(encoded(assignment()))
    run = subprocess.run([sys.executable, "-c", PRINTING, file], capture_output=True, text=True, check=True)
    assert run.stdout == run.stderr == ""
    said = [msgspec.msgpack.decode(frame, type=Message) for frame in Inbox().add(file.read_bytes())]
    *printed, last = said
    assert last == Idle(trial=A)
    lines = [(one.stream, one.line) if isinstance(one, Output) else "result" for one in printed]
    assert sorted(lines[:2]) == [("stderr", "by another program"), ("stdout", "whole")]
    assert lines[2:] == ["result", ("stdout", "half")]
