from poptune._running.executors.placement import Node, count_fitting, lacking

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
