"""Placeholders for values that are no JSON."""

import argparse

import numpy as np
import pytest

from poptune._core.unopened import UnopenedObject, is_of_an_object


def test_two_of_one_journal_are_equal_by_their_number_whatever_they_print() -> None:
    assert UnopenedObject("<function relu at 0x7f01>", 3) == UnopenedObject("<function relu at 0x7f02>", 3)
    assert UnopenedObject("array([0, ...])", 3) != UnopenedObject("array([0, ...])", 4)
    assert len({UnopenedObject("a", 3), UnopenedObject("b", 3)}) == 1


def test_without_a_number_they_are_equal_by_their_text_but_for_addresses() -> None:
    assert UnopenedObject("<function relu at 0x7f01>") == UnopenedObject("<function relu at 0x7F02>")
    assert UnopenedObject("<function relu at 0x7f01>") != UnopenedObject("<function elu at 0x7f01>")
    assert UnopenedObject("<function relu>") != "<function relu>"


@pytest.mark.parametrize("value", [len, print, max, argparse, dict, lambda: 1, object(), [].append, np.exp])
def test_the_text_of_an_object_is_known(value: object) -> None:
    assert is_of_an_object(repr(value))


@pytest.mark.parametrize("text", ["relu", "<relu>", "", "a < b", "<functional>", "x <function f> y", "<1e-3"])
def test_other_texts_are_texts(text: str) -> None:
    assert not is_of_an_object(text)
