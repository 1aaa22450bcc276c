from __future__ import annotations

import argparse
import os
import pickle
from collections import OrderedDict
from pathlib import Path

import cloudpickle
import numpy as np
import pytest

from poptune._base.equality import same
from poptune._core.unopened import UnopenedObject
from poptune._keeping.journal import ObjectTable, UnopenedObjects
from poptune.errors import JournalError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "objects.pkl"


def reopened(path: Path) -> list:
    """The values that were kept after the first."""
    return ObjectTable.open(path)._values[1:]


def test_values_are_there_again_with_the_definition(path: Path) -> None:
    table = ObjectTable.create(path, first={"trainable": "t"})
    numbers = [table.number(value) for value in (OrderedDict, Path("data"), 1j)]
    again = ObjectTable.open(path)
    assert again.value(0, "") == {"trainable": "t"}
    assert [again.value(number, "") for number in numbers] == [OrderedDict, Path("data"), 1j]


def test_a_local_function_and_a_lambda_are_kept_by_value(path: Path) -> None:
    table = ObjectTable.create(path, first=())
    number = table.number(lambda x: x + 1)
    again = ObjectTable.open(path)
    assert again.value(number, "")(1) == 2


def test_the_same_or_an_equal_value_has_one_number(path: Path) -> None:
    table = ObjectTable.create(path, first=())
    array = np.arange(3)
    assert [table.number(value) for value in (Path("a"), Path("b"), Path("a"), array, array)] == [
        1,
        2,
        1,
        3,
        3,
    ]
    assert len(reopened(path)) == 3


def test_equal_values_of_different_types_are_different(path: Path) -> None:
    table = ObjectTable()
    assert table.number(frozenset({1})) != table.number({1})


def test_a_value_that_cannot_be_compared_is_known_by_what_it_holds() -> None:
    class Stubborn:
        def __init__(self, held: int) -> None:
            self.held = held

        def __eq__(self, other: object) -> bool:
            raise RuntimeError("I compare with nobody")

        __hash__ = None

    table, one, other = ObjectTable(), Stubborn(1), Stubborn(2)
    assert [table.number(one), table.number(other), table.number(one), table.number(Stubborn(2))] == [
        0,
        1,
        0,
        1,
    ]


def test_a_function_that_was_pickled_apart_has_the_number_of_the_first(path: Path) -> None:
    def relu(x):
        return max(x, 0)

    def elu(x):
        return x

    table = ObjectTable.create(path, first=())
    numbers = [table.number(relu), table.number(elu)]
    again = [cloudpickle.loads(cloudpickle.dumps(function)) for function in (relu, elu)]
    assert relu not in again
    assert [table.number(function) for function in again] == numbers


CHANGED_IN_PLACE = {
    "array": (lambda: np.zeros(2), lambda value: value.__setitem__(0, 1.0)),
    "namespace": (lambda: argparse.Namespace(lr=1.0), lambda value: setattr(value, "lr", 0.5)),
    "set": (lambda: {1}, lambda value: value.add(2)),
    "with a module": (lambda: argparse.Namespace(lr=1.0, np=np), lambda value: setattr(value, "lr", 0.5)),
    "deep": (lambda: OrderedDict(a=[1]), lambda value: value["a"].append(2)),
}


@pytest.mark.parametrize("kind", CHANGED_IN_PLACE)
def test_a_value_that_is_changed_in_place_gets_another_number(kind: str, path: Path) -> None:
    make, change = CHANGED_IN_PLACE[kind]
    table, value = ObjectTable.create(path, first=()), make()
    first = table.number(value)
    change(value)
    second = table.number(value)
    assert [first, second, table.number(make()), table.number(value)] == [1, 2, 1, 2]
    for kept in (table, ObjectTable.open(path)):
        assert same(kept.value(1, ""), make()), "it is kept as it was"
        assert same(kept.value(2, ""), value)


def test_a_value_that_cannot_be_pickled_leaves_the_file_as_it_was(path: Path) -> None:
    table = ObjectTable.create(path, first=())
    table.number(Path("a"))
    with pytest.raises(
        JournalError, match=r"but <generator .* cannot be pickled \(TypeError: .*create it in"
    ):
        table.number(iterator for iterator in ())
    assert reopened(path) == [Path("a")]
    assert table.number(Path("b")) == 2
    assert reopened(path) == [Path("a"), Path("b")]


def test_a_value_is_on_the_disk_itself_before_its_number_is_given_out(path: Path, monkeypatch) -> None:
    table, synced = ObjectTable.create(path, first=()), []
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
        table.number(Path("a"))
    assert synced == [path.stat().st_size]


def test_a_torn_last_value_is_dropped_wherever_it_was_torn(path: Path) -> None:
    table = ObjectTable.create(path, first="defined")
    table.number(Path("kept"))
    whole = path.read_bytes()
    tail = cloudpickle.dumps({"torn": [Path("x"), "text", 3.5, OrderedDict]})
    for length in range(len(tail)):
        path.write_bytes(whole + tail[:length])
        table = ObjectTable.open(path)
        assert table.value(0, "") == "defined"
        assert path.read_bytes() == whole + tail[:length], "it may be another's, who is still writing"
        table.take_over()
        assert table.number(OrderedDict) == 2
        assert reopened(path) == [Path("kept"), OrderedDict]


def test_who_takes_over_has_what_was_appended_since(path: Path) -> None:
    first = ObjectTable.create(path, first=())
    second = ObjectTable.open(path)
    first.number(Path("a"))
    second.take_over()
    assert second.value(1, "") == Path("a")
    assert second.number(Path("b")) == 2
    assert reopened(path) == [Path("a"), Path("b")]


def test_a_whole_file_is_opened_without_being_written(path: Path) -> None:
    ObjectTable.create(path, first=1).number(Path("a"))
    before = path.stat().st_mtime_ns
    assert reopened(path) == [Path("a")]
    assert path.stat().st_mtime_ns == before


def test_a_file_that_is_gone_is_an_error_that_says_what_still_can_be_done(path: Path) -> None:
    with pytest.raises(JournalError, match="but it is not there: without it the results can be read"):
        ObjectTable.open(path)


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps("x")[:-2]])
def test_a_file_without_a_definition_is_an_error_that_says_what_to_do(path: Path, content) -> None:
    path.write_bytes(content)
    with pytest.raises(JournalError, match="must hold the experiment's trainable .* restore with the code"):
        ObjectTable.open(path)


def test_code_that_is_gone_is_an_error_that_names_it(path: Path) -> None:
    path.write_bytes(b"cpoptune_no_such_module\nThing\n.")
    with pytest.raises(JournalError, match="ModuleNotFoundError: .*poptune_no_such_module"):
        ObjectTable.open(path)


def test_a_number_that_the_file_lacks_is_an_error_with_the_value_as_text() -> None:
    with pytest.raises(JournalError, match=r"names object 3 \(<class 'Adam'>\), which objects.pkl lacks"):
        ObjectTable().value(3, "<class 'Adam'>")


class Explosive:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def test_unopened_objects_run_no_code(tmp_path: Path, path: Path) -> None:
    mark = tmp_path / "it ran"
    number = ObjectTable.create(path, first=()).number(Explosive(mark))
    mark.unlink()  # the table has made a copy of its own
    unopened = UnopenedObjects().value(number, "<Explosive>")
    assert unopened == UnopenedObject("<Explosive>", number)
    assert str(unopened) == "<Explosive>"
    assert not mark.exists()
    ObjectTable.open(path)
    assert mark.exists(), "else this test could not fail"


def test_unopened_objects_keep_nothing() -> None:
    with pytest.raises(JournalError, match="opened for reading cannot keep"):
        UnopenedObjects().number(Path("a"))
