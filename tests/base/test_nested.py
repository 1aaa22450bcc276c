"""Values in nested dicts, by paths."""

import pytest

from poptune._base.nested import flatten, number_at, value_at

NESTED = {"loss": 0.5, "test": {"accuracy": 0.9, "by/class": {"cat": 1}, "empty": {}}}


def test_values_are_flattened_to_their_paths_and_an_empty_dict_is_one():
    assert flatten({"test": {"accuracy": 0.9, "by/class": {"cat": 1}, "empty": {}}}) == {
        "test/accuracy": 0.9,
        "test/by/class/cat": 1,
        "test/empty": {},
    }


def test_what_is_flat_already_comes_back_as_a_dict_of_its_own():
    flat = {"loss": 0.5, "name": "a"}
    assert flatten(flat) == flat
    assert flatten(flat) is not flat


def test_a_prefix_stands_before_each_path():
    assert flatten({"lr": 1}, "config/") == {"config/lr": 1}
    assert flatten({}, "config/") == {}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("loss", 0.5),
        ("test/accuracy", 0.9),
        ("test/by/class/cat", 1),
        ("test", NESTED["test"]),
        ("accuracy", None),
        ("test/", None),
        ("test/accuracy/more", None),
    ],
)
def test_a_value_is_found_at_its_path(path, expected):
    assert value_at(NESTED, path) == expected


def test_a_key_of_the_very_name_goes_first():
    assert value_at({"a": {"b": 3}, "a/b": 2}, "a/b") == 2


def test_where_there_is_none_the_default_is_answered():
    assert value_at(NESTED, "no", 7) == value_at(NESTED, "no/such", 7) == 7
    assert value_at({"x": None}, "x", 7) is None


def test_only_numbers_are_numbers():
    assert number_at({"a": {"b": 2}, "c": "text"}, "a/b") == 2.0
    assert number_at({"a": {"b": 2}, "c": "text"}, "c") is None
