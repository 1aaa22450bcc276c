from __future__ import annotations

from poptune._base.types import TrialId, TrialStatus
from poptune._core.barriers import Barriers
from poptune._core.population import Trial
from poptune._core.scheduler import Run
from poptune._core.trial_spec import TrialSpec


def trials(count: int, barrier: str | None = "round") -> list[Trial]:
    return [
        Trial(
            spec=TrialSpec(id=TrialId(f"t{i}"), index=i, name="", tag="", folder="", config={}),
            config={},
            run=Run(until=1.0, barrier=barrier),
        )
        for i in range(count)
    ]


def after(barriers: Barriers, trial: Trial, *, arrived: bool = True) -> tuple[TrialId, ...]:
    trial.arrived = arrived
    barriers.update(trial)
    opened = barriers.first_open()
    return opened[1] if opened else ()


def test_an_open_barrier_is_named() -> None:
    barriers, (a, b) = Barriers(), trials(2, barrier="round 7")
    assert after(barriers, a, arrived=True) == ("t0",)
    assert barriers.first_open() == ("round 7", ("t0",))
    assert after(barriers, b, arrived=False) == ()
    assert barriers.first_open() is None


def test_a_barrier_opens_when_the_last_has_arrived_and_names_all_by_index() -> None:
    barriers, (a, b, c) = Barriers(), trials(3)
    for trial in (a, b, c):
        assert after(barriers, trial, arrived=False) == ()
    assert after(barriers, c) == ()
    assert after(barriers, b) == ()
    assert after(barriers, a) == ("t0", "t1", "t2")


def test_a_dead_trial_is_no_longer_waited_for() -> None:
    barriers, (a, b) = Barriers(), trials(2)
    after(barriers, b, arrived=False)
    assert after(barriers, a) == ()
    b.status = TrialStatus.ERROR
    assert after(barriers, b, arrived=False) == ("t0",)


def test_a_barrier_at_which_nobody_is_left_does_not_open() -> None:
    barriers, (a, b) = Barriers(), trials(2)
    for trial in (a, b):
        after(barriers, trial, arrived=False)
    for trial in (a, b):
        trial.status = TrialStatus.TERMINATED
        assert after(barriers, trial, arrived=False) == ()


def test_a_trial_that_goes_back_is_waited_for_again() -> None:
    barriers, (a, b) = Barriers(), trials(2)
    after(barriers, b, arrived=False)
    after(barriers, a)
    after(barriers, a, arrived=False)
    assert after(barriers, b) == ()
    assert after(barriers, a) == ("t0", "t1")


def test_barriers_of_different_names_open_apart() -> None:
    barriers, (a, b) = Barriers(), trials(2)
    b.run = Run(until=1.0, barrier="other")
    after(barriers, b, arrived=False)
    assert after(barriers, a) == ("t0",)


def test_a_trial_that_turns_to_another_barrier_leaves_the_first() -> None:
    barriers, (a, b) = Barriers(), trials(2)
    after(barriers, b, arrived=False)
    after(barriers, a)
    b.run = Run(until=1.0)
    assert after(barriers, b, arrived=False) == ("t0",)
