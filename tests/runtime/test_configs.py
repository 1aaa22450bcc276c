import collections
import copy
import json
import operator
import pickle

import cloudpickle
import numpy as np
import pytest

import poptune as tune
from poptune.runtime.configs import Reads, WatchedConfig, changed_paths, plain_part, value_at

PLAIN = {"lr": 1, "net": {"width": 2, "block": {"depth": 3}}}


@pytest.fixture
def config():
    return WatchedConfig(PLAIN)


def keywords(**given):
    return given


def updated(config):
    mine = {}
    mine.update(config)
    return mine


def merged(config):
    mine = {}
    mine |= config
    return mine


def matched(config):
    match config:
        case {"lr": lr}:
            return lr


ALL = {"lr", "net.width", "net.block.depth"}


@pytest.mark.parametrize(
    ("read", "paths"),
    [
        (lambda c: c["lr"], {"lr"}),
        (lambda c: c.get("lr"), {"lr"}),
        (lambda c: c.setdefault("lr", 2), {"lr"}),
        (lambda c: c.pop("lr"), {"lr"}),
        (operator.itemgetter("lr"), {"lr"}),
        (matched, {"lr"}),
        (lambda c: "%(lr)s" % c, {"lr"}),  # noqa: UP031
        ("{lr}".format_map, {"lr"}),
        (lambda c: c["net"], set()),
        (lambda c: c["net"]["width"], {"net.width"}),
        (lambda c: c["net"]["block"]["depth"], {"net.block.depth"}),
        (lambda c: keywords(**c["net"]["block"]), {"net.block.depth"}),
        (lambda c: dict(c["net"]), {"net.width", "net.block.depth"}),
        (lambda c: "lr" in c, set()),
        (len, set()),
        (repr, set()),
        (list, ALL),
        (dict, ALL),
        (lambda c: {**c}, ALL),
        (lambda c: keywords(**c), ALL),
        (updated, ALL),
        (merged, ALL),
        (lambda c: c | {"more": 1}, ALL),
        (lambda c: {"more": 1} | c, ALL),
        (lambda c: list(c.keys()), ALL),
        (lambda c: list(c.values()), ALL),
        (lambda c: list(c.items()), ALL),
        (lambda c: c.popitem(), ALL),
        (lambda c: collections.ChainMap(c)["lr"], {"lr"}),
        (copy.copy, ALL),
        (copy.deepcopy, ALL),
        (json.dumps, ALL),
        (pickle.dumps, ALL),
        (cloudpickle.dumps, ALL),
    ],
)
def test_every_way_to_read_is_noted(config, read, paths):
    read(config)
    assert {path for path in ALL if config.reads.has(path)} == paths
    assert config.reads.any is bool(paths)


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        lambda c: c.copy(),
        lambda c: c | {},
        lambda c: {} | c,
        lambda c: json.loads(json.dumps(c)),
        lambda c: pickle.loads(pickle.dumps(c)),
        lambda c: cloudpickle.loads(cloudpickle.dumps(c)),
    ],
)
def test_a_copy_is_a_plain_dict(config, copied):
    twin = copied(config)
    assert twin == PLAIN
    assert [type(part) for part in (twin, twin["net"], twin["net"]["block"])] == [dict] * 3


def test_in_a_checkpoint_it_is_a_plain_dict_that_needs_no_trust(config, tmp_path):
    tune.Checkpoint.from_dict({"config": config, "again": dict(config)}).write(tmp_path)
    assert tune.Checkpoint.from_store(tmp_path).to_dict() == {"config": PLAIN, "again": PLAIN}


def test_what_was_read_can_be_moved_elsewhere(config):
    other = Reads()
    config["lr"]
    config.reads.move_to(other)
    assert not config.reads.any
    assert other.has("lr")


def test_it_becomes_another_config_in_place_with_all_that_is_nested(config):
    net, block = config["net"], config["net"]["block"]
    config["of_the_user"] = 7
    new = {"lr": 5, "net": {"width": 6, "block": {"depth": 8}, "act": {"kind": "relu"}}}
    config.become(PLAIN, new)
    assert config == {**new, "of_the_user": 7}
    assert config["net"] is net
    assert config["net"]["block"] is block
    config.reads.move_to(Reads())
    config["net"]["act"]["kind"]
    assert config.reads.has("net.act.kind")
    assert not config.reads.has("net.width")
    config.become(new, {"net": 3})
    assert config == {"net": 3, "of_the_user": 7}


class Thing:
    """Says not when it is equal."""


@pytest.mark.parametrize(
    ("old", "new", "paths"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, ["a"]),
        ({"a": 1}, {"a": 1, "b": 0}, ["b"]),
        ({"a": 1, "b": 0}, {"a": 1}, []),
        ({"n": {"a": 1, "b": {"c": 2}}}, {"n": {"a": 1, "b": {"c": 3}}}, ["n.b.c"]),
        ({"n": 1}, {"n": {"a": 1, "b": 2}}, ["n.a", "n.b"]),
        ({"n": {"a": 1}}, {"n": 1}, ["n"]),
        ({"a": float("nan")}, {"a": float("nan")}, []),
        ({"a": float("nan")}, {"a": 1.0}, ["a"]),
        ({"a": Thing()}, {"a": Thing()}, []),
        ({"a": [Thing(), 1]}, {"a": [Thing(), 1]}, []),
        ({"a": [Thing(), 1]}, {"a": [Thing(), 2]}, ["a"]),
        ({"a": (1, 2)}, {"a": (1, 2, 3)}, ["a"]),
        ({"a": np.arange(3)}, {"a": np.arange(3)}, []),
        ({"a": np.arange(3)}, {"a": np.ones(3)}, ["a"]),
        ({"a": "x"}, {"a": "y"}, ["a"]),
        ({"a": Thing}, {"a": Reads}, ["a"]),
        ({"a": keywords}, {"a": updated}, ["a"]),
        ({"a": keywords}, {"a": cloudpickle.loads(cloudpickle.dumps(keywords))}, []),
        ({"a": keywords}, {"a": 1}, ["a"]),
    ],
)
def test_changes_are_told_by_path(old, new, paths):
    assert list(changed_paths(old, new)) == paths


def test_a_value_is_found_by_its_path(config):
    assert value_at(config, "net.block.depth") == 3
    for missing in ("net.height", "lr.x", "x"):
        with pytest.raises(KeyError):
            value_at(config, missing)


def test_the_plain_part_is_what_anybody_can_read():
    config = {
        "a": 1,
        "b": [1.5, "x", (None, True)],
        "c": Thing(),
        "d": [Thing()],
        "e": {"f": 2, "g": Thing},
        "h": {"i": Thing()},
    }
    assert plain_part(config) == {"a": 1, "b": [1.5, "x", (None, True)], "e": {"f": 2}}
