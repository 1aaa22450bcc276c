"""What can be told of who reads a config, from the code that holds it."""

import sys
from functools import partial

import pytest

from poptune._training.config_reads import LoopReads, frame_of_user, is_never_read

kept = []


def begins(config):
    """Stand where `steps` does, and look at the caller."""
    return LoopReads(sys._getframe(1), config)


def by_key(config):
    config["before"]
    reads = begins(config)
    config["a"], config["net"]["b"], config.get("c"), config.get("d", 1)
    config["set"] = 1
    return reads


def by_alias(config):
    net = config["net"]
    reads = begins(config)
    net["b"]
    return reads


def by_closure(config):
    def inner():
        return config["a"]

    reads = begins(config)
    inner()
    return reads


def by_comprehension(config):
    reads = begins(config)
    [config["a"] for _ in range(2)]
    return reads


def handed_on(config):
    reads = begins(config)
    print(config, end="")
    return reads


def kept_before(config):
    kept.append([config])
    return begins(config)


def part_kept_before(config):
    kept.append(config["net"])
    return begins(config)


def handed_on_before(config):
    dict(config)
    return begins(config)


def not_at_all(config):
    return begins(config)


@pytest.mark.parametrize(
    ("train", "read"),
    [
        (by_key, {"a", "net.b", "c", "d"}),
        (by_alias, {"net.b"}),
        (by_closure, {"a"}),
        (by_comprehension, {"a"}),
        (handed_on, {"a", "net.b", "c", "d", "set", "before"}),
        (kept_before, {"a", "net.b", "c", "d", "set", "before"}),
        (part_kept_before, {"net.b"}),
        (handed_on_before, set()),
        (not_at_all, set()),
    ],
)
def test_what_a_loop_may_read_is_told_from_its_code_and_from_who_has_kept_the_config(train, read):
    config = {"a": 1, "net": {"b": 2}, "c": 3, "d": 4, "set": 0, "before": 5}
    reads = train(config)
    assert {p for p in ("a", "net.b", "c", "d", "set", "before") if reads.anywhere(p)} == read
    kept.clear()


def test_what_was_read_before_the_loop_is_known():
    config = {"a": 1, "net": {"b": 2}, "before": 5}
    reads = by_key(config)
    assert reads.before("before")
    assert not reads.before("a")
    assert handed_on_before(config).before("a")
    assert not not_at_all(config).before("a")


def test_of_a_config_that_no_variable_holds_everything_may_be_read():
    holders = [{"a": 1}]
    reads = begins(holders[0])
    assert reads.anywhere("a")
    assert reads.before("a")


def test_where_others_have_the_config_too_everything_may_be_read():
    reads = LoopReads(sys._getframe(), {"a": 1}, is_alone=False)
    assert reads.anywhere("a")
    assert reads.before("a")


def asks_and_changes(config):
    reads = begins(config)
    if "a" in config:
        config["b"] *= 2
    return reads


def test_to_ask_for_a_key_or_to_change_one_reads_no_other():
    reads = asks_and_changes({"a": 1, "b": 2, "c": 3})
    assert [reads.anywhere(path) for path in "abc"] == [False, True, False]


def test_the_caller_outside_of_the_package_is_found():
    assert frame_of_user() is sys._getframe()


def reads_one(config):
    return config["lr"]


def binds_one(config):
    return max(optimizer="lr", wd="net.decay")


def hands_it_on(config):
    return dict(config)


def names_neither(config, data=None):
    return data


def second(data, config):
    return data[0]


class Callable:
    def __call__(self, config):
        return 1


@pytest.mark.parametrize(
    ("function", "path", "never"),
    [
        (reads_one, "lr", False),
        (reads_one, "momentum", True),
        (binds_one, "lr", False),
        (binds_one, "net.decay", False),
        (binds_one, "wd", False),
        (binds_one, "momentum", True),
        (hands_it_on, "momentum", False),
        (names_neither, "lr", True),
        (partial(reads_one), "lr", False),
        (partial(partial(names_neither, data=1)), "lr", True),
        (partial(second, [1]), "lr", False),
        (Callable(), "lr", False),
        (len, "lr", False),
    ],
)
def test_a_value_that_a_function_certainly_ignores_is_told_beforehand(function, path, never):
    assert is_never_read(function, path) is never
