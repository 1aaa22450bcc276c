import json

import pytest

from poptune._core.policy_log import read_policy
from poptune._core.unopened import UnopenedObject
from poptune.errors import ConfigurationError


def log(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_the_example_of_the_population_based_augmentation_search():
    text = log(["1", "0", 5, 5, {"p": "a"}, {"p": "b"}], ["2", "1", 10, 10, {"p": "b"}, {"p": "c"}])
    assert read_policy(text).changes == ((0, {"p": "a"}), (5, {"p": "b"}), (10, {"p": "c"}))


def test_lines_before_the_lineage_are_left_out():
    text = log(
        ["7", "6", 3, 3, {"p": "x"}, {"p": "y"}],
        ["1", "0", 5, 5, {"p": "a"}, {"p": "b"}],
        ["2", "1", 10, 10, {"p": "b"}, {"p": "c"}],
    )
    assert read_policy(text).changes[0] == (0, {"p": "a"})


def test_of_several_changes_at_one_iteration_the_last_counts():
    text = log(["1", "0", 8, 5, {"p": "a"}, {"p": "b"}], ["2", "1", 9, 5, {"p": "b"}, {"p": "c"}])
    assert read_policy(text).changes == ((0, {"p": "a"}), (5, {"p": "c"}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the policy is empty: .*constant schedule"),
        ("\n\n", "is empty"),
        ('["1", "0", 5, 5, {"p": 1}', r"line 1 of p.txt must be a JSON list, got '\[\"1\""),
        ('["1", "0", 5, 5, {"p": 1}]', "line 1 of p.txt must be .target, donor"),
        ('["1", "0", 5, -1, {"p": 1}, {"p": 2}]', "line 1 of p.txt"),
        ('["1", "0", 5, 5, {}, {}]\nhello', "line 2 of p.txt must be a JSON list, got 'hello'"),
    ],
)
def test_a_text_that_is_no_policy_is_refused_with_its_line(text, message):
    with pytest.raises(ConfigurationError, match=message):
        read_policy(text) if not text else read_policy(text, name="p.txt" if text.strip() else "the policy")


def test_a_value_that_is_named_stands_for_it_wherever_it_lies():
    relu = {"$object": "<function relu at 0x7f10>"}
    text = log(["1", "0", 5, 5, {"f": relu, "net": {"layers": [relu]}}, {"f": {"$object": 1, "a": relu}}])
    stands = UnopenedObject("<function relu>")
    assert read_policy(text).changes == (
        (0, {"f": stands, "net": {"layers": [stands]}}),
        (5, {"f": {"$object": 1, "a": stands}}),
    )
