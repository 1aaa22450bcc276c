from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poptune.schedulers import sorted_keys
from poptune.schedulers.sorted_keys import SortedKeys


@settings(deadline=None)
@given(st.lists(st.integers(0, 40), max_size=120), st.sampled_from([2, 3, 7]))
def test_whatever_is_added_and_removed_they_stand_as_a_sorted_list_would(numbers, longest) -> None:
    keys: SortedKeys[tuple[int]] = SortedKeys()
    expected: set[tuple[int]] = set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorted_keys, "_LONGEST_RUN", longest)
        for number in numbers:
            key = (number,)
            if key in expected:
                keys.remove(key)
            else:
                keys.add(key)
            expected ^= {key}
            order = sorted(expected)
            assert len(keys) == len(order)
            assert [keys[place] for place in range(len(order))] == order
            assert all(keys.position(key) == place for place, key in enumerate(order))


@pytest.mark.parametrize("position", [-1, 0, 5])
def test_a_position_that_nothing_has_is_an_error(position: int) -> None:
    keys: SortedKeys[tuple[int]] = SortedKeys()
    with pytest.raises(IndexError):
        keys[position]


def test_a_key_that_is_not_there_has_the_position_that_it_would_have() -> None:
    keys: SortedKeys[tuple[int]] = SortedKeys()
    assert keys.position((3,)) == 0
    for number in (1, 5, 9):
        keys.add((number,))
    assert [keys.position((number,)) for number in (0, 5, 6, 99)] == [0, 1, 2, 3]


def test_many_keys_in_any_order_come_out_sorted() -> None:
    numbers = list(range(5000))
    random.Random(0).shuffle(numbers)
    keys: SortedKeys[tuple[int]] = SortedKeys()
    for number in numbers:
        keys.add((number,))
    assert [keys[place] for place in range(0, 5000, 97)] == [(place,) for place in range(0, 5000, 97)]
