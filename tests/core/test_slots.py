from __future__ import annotations

import pytest

from poptune._base.types import TrialId, TrialStatus
from poptune._core.population import Trial
from poptune._core.scheduler import Run
from poptune._core.slots import Slots
from poptune._core.trial_spec import TrialSpec


def trial(name: str, age: float = 0.0, until: float | None = None) -> Trial:
    spec = TrialSpec(id=TrialId(name), index=0, name=name, tag=name, folder=name, config={})
    return Trial(spec=spec, config={}, age=age, run=Run(until=until))


def test_the_youngest_in_line_goes_first_and_of_one_age_whoever_came_first() -> None:
    slots = Slots(1)
    for waiting in (trial("old", 5), trial("b", 2), trial("a", 2), trial("young", 1)):
        slots.enqueue(waiting)
    order = []
    while name := slots.next():
        order.append(name)
        slots.occupy(name)
        slots.forget(name)
    assert order == ["young", "b", "a", "old"]


def test_nobody_is_next_while_all_slots_are_taken() -> None:
    slots = Slots(1)
    slots.occupy(TrialId("a"))
    slots.enqueue(trial("b"))
    assert slots.next() is None
    slots.free(TrialId("a"))
    assert slots.next() == "b"


def test_who_stands_in_line_again_has_one_place_the_new_one() -> None:
    slots = Slots(1)
    slots.enqueue(trial("a", 1))
    slots.enqueue(trial("b", 2))
    slots.enqueue(trial("a", 3))
    assert slots.next() == "b"
    slots.occupy(TrialId("b"))
    slots.forget(TrialId("b"))
    slots.occupy(TrialId("a"))
    slots.forget(TrialId("a"))
    assert slots.next() is None


def test_who_is_forgotten_leaves_the_line() -> None:
    slots = Slots(1)
    slots.enqueue(trial("a", 1))
    slots.enqueue(trial("b", 2))
    slots.forget(TrialId("a"))
    assert slots.next() == "b"


@pytest.mark.parametrize(("reached", "expected"), [(9, False), (10, True), (11, True)])
def test_a_slot_is_yielded_to_whom_is_a_whole_stretch_behind(reached: float, expected: bool) -> None:
    slots = Slots(1)
    slots.enqueue(trial("behind", age=5))
    assert slots.must_yield(trial("running", age=20, until=25), reached) is expected


def test_a_trial_that_trains_to_its_end_yields_to_nobody() -> None:
    slots = Slots(1)
    slots.enqueue(trial("behind"))
    assert not slots.must_yield(trial("running", age=100, until=None), 100)


def test_residents_wait_in_the_order_in_which_they_gave_up_their_slots() -> None:
    slots = Slots(3)
    for name in ("a", "b", "c"):
        slots.occupy(TrialId(name))
        slots.settle(TrialId(name))
    for name in ("c", "a"):
        slots.free(TrialId(name))
    assert slots.suspended() == ["c", "a"]
    assert slots.residents == 3
    assert [slots.status(TrialId(name)) for name in "abd"] == [
        TrialStatus.PAUSED,
        TrialStatus.RUNNING,
        TrialStatus.PENDING,
    ]


def test_a_load_stays_pending_until_the_code_is_entered() -> None:
    slots = Slots(1)
    slots.set_pending(TrialId("a"), load=True)
    slots.set_pending(TrialId("a"), load=False)
    assert slots.has_pending(TrialId("a"))
    slots.settle(TrialId("a"))
    assert not slots.has_pending(TrialId("a"))
