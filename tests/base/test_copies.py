"""Copies for user code."""

from __future__ import annotations

import argparse
import functools
import threading
from collections import OrderedDict
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from poptune._base.copies import copied
from poptune._base.equality import same


def relu(x: float) -> float:
    return max(x, 0)


class Uncopied:
    """Holds what no copy can be made of."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


CHANGES = {
    "list": ([1, [2]], lambda value: value[1].append(3)),
    "dict": ({"a": {"b": 1}}, lambda value: value["a"].update(b=2)),
    "tuple": (([1],), lambda value: value[0].append(2)),
    "array": (np.zeros(3), lambda value: value.__setitem__(0, 1)),
    "namespace": (argparse.Namespace(lr=1.0), lambda value: setattr(value, "lr", 2.0)),
    "ordered": (OrderedDict(a=[1]), lambda value: value["a"].append(2)),
    "with a module": (argparse.Namespace(np=np, layers=[1]), lambda value: value.layers.append(2)),
    "partial": (functools.partial(relu, [1]), lambda value: value.args[0].append(2)),
}


@pytest.mark.parametrize("kind", CHANGES)
@pytest.mark.parametrize("beside", [None, Uncopied(), argparse])
def test_what_is_done_to_a_copy_does_not_reach_the_value(kind: str, beside: object) -> None:
    value, change = CHANGES[kind]
    before = copied(value)
    mine = copied({"value": value, "beside": beside})
    change(mine["value"])
    assert same(value, before)
    assert not same(mine["value"], value)


def test_functions_classes_modules_and_what_cannot_be_copied_are_shared() -> None:
    for value in (relu, argparse.Namespace, argparse, Uncopied(), len):
        assert copied({"value": [value]})["value"][0] is value


def test_what_holds_itself_and_cannot_be_copied_is_no_trap() -> None:
    value: dict[str, Any] = {"beside": Uncopied(), "layers": [1]}
    value["self"] = value
    mine = copied(value)
    mine["layers"].append(2)
    assert value["layers"] == [1]


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
)


@given(PLAIN)
def test_a_copy_is_the_same(value: Any) -> None:
    assert same(copied(value), value)
    assert same(copied([value, Uncopied()])[0], value)
