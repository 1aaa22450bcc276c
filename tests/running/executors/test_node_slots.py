import time

import hypothesis.strategies as st
from hypothesis import given

from poptune._running.executors.node_slots import NodeSlots


def slots(*nodes, exclusive=False):
    books = NodeSlots(len(nodes), exclusive=exclusive)
    for slot, node in zip(books.all, nodes, strict=True):
        books.move(slot, node)
    return books


def test_a_new_resident_goes_where_a_slot_is_free_and_then_where_fewest_live():
    books = slots("a", "a", "b", None)
    assert books.ready == 3
    for expected in (0, 2, 1):
        chosen = books.choose()
        assert chosen.number == expected
        books.live(chosen, 1)
        books.train(chosen, 1)
    books.train(books.all[2], -1)  # it waits for its turn
    assert books.choose().number == 2, "although more live on that node"
    assert books.is_full(books.all[0])
    assert not books.is_full(books.all[2])


def test_slots_on_one_node_are_as_good_as_each_other():
    books = slots("a", "a")
    books.train(books.all[0], 1)
    assert not books.is_full(books.all[0])
    books.train(books.all[0], 1)
    assert books.is_full(books.all[1])


def test_where_trials_need_a_slot_for_themselves_each_has_one():
    books = slots("a", "b", exclusive=True)
    for slot in books.all:
        books.live(slot, 1)
    assert books.choose() is None
    books.live(books.all[1], -1)
    assert books.choose().number == 1


def test_without_a_node_there_is_no_room():
    books = slots(None, None)
    assert books.choose() is None
    assert books.is_full(books.all[0])


@given(
    st.lists(
        st.tuples(st.sampled_from(["move", "live", "train"]), st.integers(0, 4), st.sampled_from("abc-")),
        max_size=40,
    )
)
def test_what_is_counted_of_a_node_is_the_sum_over_its_slots(changes):
    books = slots("a", "a", "b", "b", None)
    for what, number, node in changes:
        slot = books.all[number]
        if what == "move":
            books.move(slot, None if node == "-" else node)
        else:
            getattr(books, what)(slot, 1)
    for slot in books.all:
        same = [other for other in books.all if slot.node is not None and other.node == slot.node]
        assert books.is_full(slot) == (sum(other.training for other in same) >= len(same))
    assert books.ready == sum(slot.node is not None for slot in books.all)


def test_the_choice_among_ten_thousand_slots_looks_at_nodes_only():
    took_s = {}
    for number_of_slots in (1_000, 10_000):
        books = slots(*(f"node {number // 10}" for number in range(number_of_slots)))
        began_s = time.process_time()
        for _ in range(100):
            slot = books.choose()
            books.live(slot, 1)
            books.train(slot, 1)
        took_s[number_of_slots] = time.process_time() - began_s
    assert took_s[10_000] < 50 * took_s[1_000], "a look at every pair of slots takes a hundred times as long"
    assert len({slot.node for slot in books.all if slot.residents}) == 100, "each on a node of its own"
