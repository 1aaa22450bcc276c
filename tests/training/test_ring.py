"""The pipe in shared memory."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poptune._training import ring
from poptune._training.ring import Ring, create


@pytest.fixture
def ends():
    descriptor = create()
    writer, reader = Ring(descriptor), Ring(descriptor)
    os.close(descriptor)
    yield writer, reader
    writer.close()
    reader.close()


@pytest.fixture(scope="module")
def shared_ends():
    descriptor = create()
    yield Ring(descriptor), Ring(descriptor)
    os.close(descriptor)


@settings(deadline=None)
@given(
    turns=st.lists(
        st.tuples(st.sampled_from([0, 1, 7, 300_000, 700_000, 1_500_000]), st.booleans()), max_size=8
    )
)
def test_what_is_written_is_read_in_order_and_whole(shared_ends, turns):
    writer, reader = shared_ends
    reader.read()
    written, read = bytearray(), bytearray()
    for size, reads in turns:
        data = os.urandom(size)
        taken = writer.write(data)
        assert taken == min(size, ring.CAPACITY_BYTES - len(written) + len(read))
        written += data[:taken]
        if reads:
            read += reader.read()
        assert writer.fill_bytes == len(written) - len(read)
    read += reader.read()
    assert read == written
    assert reader.read() == b""


def test_a_full_ring_takes_nothing_until_it_is_read(ends):
    writer, reader = ends
    reader.read()
    assert writer.write(bytes(ring.CAPACITY_BYTES)) == ring.CAPACITY_BYTES
    assert writer.write(b"more") == 0
    reader.read()
    assert writer.write(b"more") == 4
    assert reader.read() == b"more"


def test_two_processes_pass_more_than_the_ring_holds(ends):
    writer, reader = ends
    reader.read()
    block = bytes(range(256)) * 999
    child = os.fork()
    if not child:
        for _ in range(20):
            data = block
            while data:
                data = data[writer.write(data) :]
        os._exit(0)
    got = bytearray()
    while len(got) < 20 * len(block):
        got += reader.read()
    assert os.waitpid(child, 0)[1] == 0
    assert got == block * 20


def test_orders_are_announced_from_the_readers_end(ends):
    writer, reader = ends
    before = writer.orders
    reader.announce_order()
    assert writer.orders == before + 1


@pytest.mark.parametrize("keeps_order", [True, False])
def test_it_works_alike_on_processors_that_reorder_writes(monkeypatch, ends, keeps_order):
    monkeypatch.setattr(ring, "_KEEPS_ORDER", keeps_order)
    writer, reader = ends
    reader.read()
    writer.write(b"one")
    assert reader.read() == b"one"


def test_it_works_without_anonymous_files(monkeypatch):
    monkeypatch.delattr(os, "memfd_create", raising=False)
    descriptor = create()
    end = Ring(descriptor)
    os.close(descriptor)
    end.write(b"here")
    assert end.read() == b"here"
    end.close()
