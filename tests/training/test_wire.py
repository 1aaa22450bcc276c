import os
import socket
import threading

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poptune._training import protocol
from poptune._training.wire import Inbox, framed, receive_frame, send_frame


@given(st.lists(st.binary(max_size=40)), st.data())
def test_any_chunking_of_the_stream_gives_the_same_frames(bodies, data):
    stream = b"".join(framed(body) for body in bodies)
    inbox, got = Inbox(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        got += inbox.add(stream[:size])
        stream = stream[size:]
    assert got == bodies
    assert inbox.add(b"") == []


@pytest.fixture
def lines():
    one, other = socket.socketpair()
    with one, other:
        yield one, other


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_a_frame_arrives_whole(lines, size):
    body = os.urandom(size)
    sender = threading.Thread(target=send_frame, args=(lines[0], body))
    sender.start()
    assert receive_frame(lines[1]).body == body
    sender.join()


def test_descriptors_ride_along_and_are_the_same_files(lines):
    reader, writer = os.pipe()
    send_frame(lines[0], b"take these", (writer,))
    send_frame(lines[0], b"and nothing")
    os.close(writer)
    first, second = (receive_frame(lines[1], descriptors=3) for _ in range(2))
    assert (first.body, second.body, second.descriptors) == (b"take these", b"and nothing", [])
    os.write(first.descriptors[0], b"through")
    os.close(first.descriptors[0])
    assert os.read(reader, 99) == b"through"
    assert os.read(reader, 99) == b""
    os.close(reader)


def test_the_end_of_the_line_is_no_frame(lines):
    lines[0].close()
    assert receive_frame(lines[1]) is None


def test_a_frame_that_breaks_off_is_no_frame_and_leaks_no_descriptor(lines):
    reader, writer = os.pipe()
    socket.send_fds(lines[0], [framed(b"whole")[:-1]], (writer,))
    os.close(writer)
    lines[0].close()
    assert receive_frame(lines[1], descriptors=3) is None
    assert os.read(reader, 1) == b"", "nobody holds the other end"
    os.close(reader)


MESSAGES = [
    protocol.Result(
        trial="t", incarnation=2, iteration=3, metrics={"x": [1.5, None]}, checkpoint=4, waiting=True, stop=""
    ),
    protocol.CodeReturned(trial="t", incarnation=1),
    protocol.CodeFailed(trial="t", incarnation=1, error="boom"),
    protocol.Idle(trial="t", reusable=False, replace=True),
]


@pytest.mark.parametrize("message", MESSAGES)
def test_messages_come_back_as_they_were(message):
    body = msgspec.msgpack.encode(message)
    assert msgspec.msgpack.decode(body, type=protocol.Message) == message
