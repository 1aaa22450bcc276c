"""Configs as plain dicts."""

from types import MappingProxyType

import cloudpickle
import numpy as np
import pytest
import torch

from poptune._training.configs import become, changed_paths, own_copy, plain_part, value_at

PLAIN = {"lr": 1, "net": {"width": 2, "block": {"depth": 3}}}


def keywords(**given):
    return given


def updated(config):
    mine = {}
    mine.update(config)
    return mine


def test_a_copy_has_dicts_of_its_own_and_shares_the_values():
    value = object()
    config = {"lr": value, "net": {"width": 2}}
    copy = own_copy(config)
    assert copy == config
    assert copy["net"] is not config["net"]
    assert copy["lr"] is value


def test_it_becomes_another_config_in_place_with_all_that_is_nested():
    config = own_copy(PLAIN)
    net, block = config["net"], config["net"]["block"]
    config["of_the_user"] = 7
    new = {"lr": 5, "net": {"width": 6, "block": {"depth": 8}, "act": {"kind": "relu"}}}
    become(config, PLAIN, new)
    assert config == {**new, "of_the_user": 7}
    assert config["net"] is net
    assert config["net"]["block"] is block
    assert config["net"]["act"] is not new["net"]["act"]
    become(config, new, {"net": 3})
    assert config == {"net": 3, "of_the_user": 7}


def test_whatever_is_a_mapping_is_taken_over_as_dicts():
    old = MappingProxyType({"net": MappingProxyType({"width": 2, "depth": 1})})
    new = MappingProxyType({"net": MappingProxyType({"width": 3, "act": MappingProxyType({"kind": "relu"})})})
    config = own_copy(old)
    net = config["net"]
    assert list(changed_paths(old, new)) == ["net.width", "net.act.kind"]
    become(config, old, new)
    assert config == {"net": {"width": 3, "act": {"kind": "relu"}}}
    assert config["net"] is net
    assert type(net["act"]) is dict


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
        ({"a": Thing}, {"a": dict}, ["a"]),
        ({"a": torch.tensor([1.0, 2.0])}, {"a": torch.tensor([1.0, 2.0])}, []),
        ({"a": torch.tensor([1.0, 2.0])}, {"a": torch.tensor([1.0, 3.0])}, ["a"]),
        ({"a": keywords}, {"a": updated}, ["a"]),
        ({"a": keywords}, {"a": cloudpickle.loads(cloudpickle.dumps(keywords))}, []),
        ({"a": keywords}, {"a": 1}, ["a"]),
    ],
)
def test_changes_are_told_by_path(old, new, paths):
    assert list(changed_paths(old, new)) == paths


def test_a_value_is_found_by_its_path():
    config = PLAIN
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


def test_a_key_may_have_dots_itself() -> None:
    config = {"opt.lr": 0.1, "net": {"block.depth": {"left": 3}}, "a": {"b": 1}, "a.b": {"c": 2}}
    assert value_at(config, "opt.lr") == 0.1
    assert value_at(config, "net.block.depth.left") == 3
    assert value_at(config, "a.b.c") == 2
    with pytest.raises(KeyError):
        value_at(config, "net.block.left")
