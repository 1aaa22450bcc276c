from poptune.executors.placement import Node, Slot, Slots, count_fitting, lacking

SMALL, LARGE = Node("small", {"CPU": 2}), Node("large", {"CPU": 8, "GPU": 1, "desk": 1})


def test_what_no_node_has_is_named_with_the_most_that_one_has():
    assert lacking([{"CPU": 8}], [SMALL, LARGE]) == []
    assert lacking([{"CPU": 9, "desk": 1}], [SMALL, LARGE]) == [
        "9 CPU on one node, where no node has more than 8"
    ]
    assert lacking([{"throne": 1}], []) == ["1 throne on one node, where no node has more than 0"]


def test_what_is_nowhere_together_is_named_together():
    nodes = [Node("one", {"CPU": 1}), Node("other", {"GPU": 1})]
    assert lacking([{"CPU": 1, "GPU": 1}], nodes) == ["1 CPU and 1 GPU together, which no node has"]


def test_groups_are_counted_as_the_nodes_can_hold_them():
    assert count_fitting([{"CPU": 2}], [SMALL, LARGE], most=100) == 5
    assert count_fitting([{"CPU": 2}], [SMALL, LARGE], most=3) == 3
    assert count_fitting([{"CPU": 3}], [SMALL, LARGE], most=100) == 2
    assert count_fitting([{"CPU": 1, "GPU": 0.25}], [SMALL, LARGE], most=100) == 4
    assert count_fitting([{"CPU": 1}, {"desk": 1}], [SMALL, LARGE], most=100) == 1
    assert count_fitting([{"CPU": 16}], [SMALL, LARGE], most=100) == 0


def slots(*nodes, exclusive=False):
    return Slots([Slot(number, node) for number, node in enumerate(nodes)], exclusive)


def test_a_new_resident_goes_where_a_slot_is_free_and_then_where_fewest_live():
    books = slots("a", "a", "b", None)
    assert books.ready == 3
    for expected in (0, 2, 1):
        chosen = books.choose()
        assert chosen.number == expected
        books.residents[chosen.number] += 1
        books.training[chosen.number] += 1
    books.training[2] -= 1  # it waits for its turn
    assert books.choose().number == 2, "although more live on that node"
    assert books.is_full(books.slots[0])
    assert not books.is_full(books.slots[2])


def test_slots_on_one_node_are_as_good_as_each_other():
    books = slots("a", "a")
    books.training[0] = 1
    assert not books.is_full(books.slots[0])
    books.training[0] = 2
    assert books.is_full(books.slots[1])


def test_where_trials_need_a_slot_for_themselves_each_has_one():
    books = slots("a", "b", exclusive=True)
    books.residents.update([0, 1])
    assert books.choose() is None
    books.residents[1] -= 1
    assert books.choose().number == 1


def test_without_a_node_there_is_no_room():
    assert slots(None, None).choose() is None
