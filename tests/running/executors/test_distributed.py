"""The executor for clusters, where there is no cluster to be asked."""

import sys

import pytest

import poptune as tune
from poptune._running.executors.placement import Node
from poptune.errors import ConfigurationError, PoptuneWarning


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"slots": 0}, "slots must be a whole number of at least 1, got 0"),
        ({"max_resident_trials": 1.5}, "max_resident_trials must be a whole number"),
        ({"address": ""}, "address must be"),
        ({"address": "ray://head:10001"}, "must run on a node of the cluster"),
        ({"strategy": "SCATTER"}, "strategy must be one of PACK, SPREAD, STRICT_PACK, STRICT_SPREAD"),
    ],
)
def test_wrong_options_are_refused(options, words):
    with pytest.raises(ConfigurationError, match=words):
        tune.RayExecutor(**options)


def test_without_ray_the_error_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "poptune._running.executors.ray", raising=False)
    monkeypatch.delattr("poptune._running.executors.ray", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigurationError, match=r'pip install "poptune\[ray\]"'):
        tune.RayExecutor().count_slots([{"cpu": 1}])


@pytest.fixture
def two_nodes(monkeypatch):
    class Ray:
        @staticmethod
        def connect(address):
            pass

        @staticmethod
        def nodes():
            return [Node("a", {"CPU": 4, "GPU": 1}), Node("b", {"CPU": 2})]

    monkeypatch.setattr("poptune._running.executors.distributed._ray", lambda: Ray)


def test_slots_are_counted_over_all_nodes_up_to_what_was_asked_for(two_nodes):
    assert tune.RayExecutor().count_slots([{"cpu": 1}]) == 6
    assert tune.RayExecutor(slots=4).count_slots([{"cpu": 1}]) == 4
    assert tune.RayExecutor().count_slots([{"cpu": 1, "gpu": 0.5}]) == 2
    assert tune.RayExecutor().count_slots([{"cpu": 1}, {"cpu": 2}]) == 2


def test_what_no_node_has_is_an_error_and_on_a_cluster_that_scales_a_warning(two_nodes):
    with pytest.raises(ConfigurationError, match="2 GPU on one node, where no node has more than 1"):
        tune.RayExecutor().count_slots([{"gpu": 2}])
    with pytest.warns(PoptuneWarning, match="the trials wait until the cluster has added it"):
        assert tune.RayExecutor(scales=True).count_slots([{"gpu": 2}]) == 1


def test_more_residents_than_slots_are_refused_where_each_needs_a_slot(two_nodes):
    assert tune.RayExecutor(max_resident_trials=100).count_slots([{"cpu": 1}]) == 6
    with pytest.raises(ConfigurationError, match="at most the number of slots, 1, got 2"):
        tune.RayExecutor(max_resident_trials=2).count_slots([{"gpu": 1}])
