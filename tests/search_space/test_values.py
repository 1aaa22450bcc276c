from collections import OrderedDict

import numpy as np
import pytest

from poptune.search_space.values import without_numpy_scalars


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        ({"a": [np.int8(1), (np.float64(2.0),)]}, {"a": [1, (2.0,)]}),
        (OrderedDict, OrderedDict),
        ("text", "text"),
        (None, None),
    ],
    ids=repr,
)
def test_numbers_of_numpy_become_pythons_own_and_all_else_stays(value, plain):
    found = without_numpy_scalars(value)
    assert found == plain
    assert type(found) is type(plain)


def test_arrays_stay():
    array = np.zeros(3)
    assert without_numpy_scalars({"a": array})["a"] is array
