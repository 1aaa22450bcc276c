from __future__ import annotations

import argparse
import functools
import math
import warnings
from collections import deque
from dataclasses import dataclass

import cloudpickle
import numpy as np
import pandas as pd
import pytest
import torch

from poptune._base.equality import index_of, same


@dataclass
class Holder:
    value: object


class Plain:
    def __init__(self, value):
        self.value = value


class Contrary:
    def __eq__(self, other):
        raise RuntimeError

    def __hash__(self):
        return 0


class Framed(Plain):
    """Looks like a frame, but cannot be compared."""

    def equals(self, other):
        raise ValueError


class Closed(Plain):
    __hash__ = None

    def __eq__(self, other):
        raise RuntimeError


def nested(*rows, **options):
    return torch.nested.nested_tensor([torch.tensor(row) for row in rows], **options)


def objects(*members):
    array = np.empty(len(members), dtype=object)
    array[:] = members
    return array


def relu(x):
    return max(x, 0)


def counted(n):
    return lambda x: x + n


PAIRS = [
    (torch.tensor([1.0, 5.0]), torch.tensor([1.0, 6.0])),
    (torch.tensor([1.0, 5.0]), torch.tensor([[1.0, 5.0]])),
    (torch.tensor([1.0]), torch.tensor([1.0], dtype=torch.float64)),
    (np.zeros(2), np.zeros(3)),
    (np.array([1.0, math.nan]), np.array([2.0, math.nan])),
    (pd.DataFrame({"a": [1, math.nan]}), pd.DataFrame({"a": [2, math.nan]})),
    (pd.Series([1, 2]), pd.Series([1, 3])),
    (pd.Series([1, 2], name="a"), pd.Series([1, 2], name="b")),
    (pd.DataFrame({"a": [np.ones(2), None]}), pd.DataFrame({"a": [np.zeros(2), None]})),
    (torch.ones(2, device="meta"), torch.ones(3, device="meta")),
    (torch.ones(2), torch.ones(2, requires_grad=True)),
    (torch.ones(2, device="meta"), torch.ones(2)),
    (objects(np.ones(2), None), objects(np.zeros(2), None)),
    (objects(np.ones(2), None), objects(np.ones(2), 0)),
    (np.array(None), np.array(1, dtype=object)),
    (deque([1, 2], maxlen=2), deque([1, 2])),
    (deque([np.ones(2)]), deque([np.zeros(2)])),
    (Framed(1), Framed(2)),
    (Framed(np.ones(2)), Framed(np.zeros(2))),
    (Closed(1), Closed(2)),
    (relu, counted(1)),
    (counted(1), counted(2)),
    (lambda x: x, lambda x: 2 * x),
    (functools.partial(relu, 1), functools.partial(relu, 2)),
    (torch.nn.Conv2d, torch.nn.Linear),
    (torch.nn.ReLU(), torch.nn.ELU()),
    (Plain(1), Plain(2)),
    (Plain(torch.ones(2)), Plain(torch.zeros(2))),
    (Holder(np.ones(2)), Holder(np.zeros(2))),
    (argparse.Namespace(lr=1.0), argparse.Namespace(lr=2.0)),
    ({"a": [1, (2, 3)]}, {"a": [1, (2, 4)]}),
    ({1, 2}, {1, 3}),
    ([1, 2], (1, 2)),
    (1, True),
    (1, "1"),
    (1.0, math.nan),
    (None, 0),
    (np, math),
]


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # these layouts are in a beta state, says torch
    LAYOUTS = [
        (torch.eye(2).to_sparse(), torch.ones(2, 2).to_sparse()),
        (torch.eye(2).to_sparse(), 2 * torch.eye(2).to_sparse()),
        (torch.eye(2).to_sparse_csr(), 2 * torch.eye(2).to_sparse_csr()),
        (nested([1.0], [1.0, 2.0]), nested([1.0], [1.0, 3.0])),
        (nested([1.0], [1.0, 2.0]), nested([1.0, 1.0], [2.0])),
        (nested([1.0], [1.0, 2.0], layout=torch.jagged), nested([1.0], [1.0, 3.0], layout=torch.jagged)),
    ]


@pytest.mark.parametrize(("one", "other"), [*PAIRS, *LAYOUTS], ids=lambda value: type(value).__name__)
def test_a_value_is_the_same_as_its_pickled_copy_and_no_other(one, other):
    for value in (one, other):
        copy = cloudpickle.loads(cloudpickle.dumps(value))
        assert same(value, copy)
        assert same({"nested": [value]}, {"nested": [copy]})
    assert not same(one, other)
    assert not same(other, one)


def test_numbers_compare_as_numbers_whosever_they_are():
    assert same(1, 1.0)
    assert same(np.int64(3), 3)
    assert same(math.nan, float("nan"))


def test_a_value_that_raises_on_being_compared_is_the_same_as_itself_alone():
    one = Contrary()
    assert same(one, one)
    assert same(one, Contrary())  # by what it would be copied from
    assert not same(one, Plain(1))


def test_values_that_hold_themselves_come_to_an_end():
    one, other = [1], [1]
    one.append(one)
    other.append(other)
    assert same(one, other)
    other.append(2)
    assert not same(one, other)


def test_an_object_that_cannot_be_copied_is_the_same_as_itself_alone(tmp_path):
    with (tmp_path / "a").open("w") as one, (tmp_path / "b").open("w") as other:
        assert same(one, one)
        assert not same(one, other)


def test_a_function_is_found_in_a_list_after_pickling():
    kinds = [counted(1), counted(2), relu]
    copies = cloudpickle.loads(cloudpickle.dumps(kinds))
    assert [index_of(copy, kinds) for copy in copies] == [0, 1, 2]
    assert index_of(counted(3), kinds) is None
