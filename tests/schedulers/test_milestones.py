"""When trials check in, and what is said before anything starts where they never would."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from hypothesis import given

import poptune as tune
from poptune.schedulers import FIFOScheduler, PopulationBasedTraining
from poptune.schedulers.milestones import Milestones


def pbt(**changes: Any) -> PopulationBasedTraining:
    arguments = {
        "time_attr": "training_iteration",
        "perturbation_interval": 5,
        "hyperparam_mutations": {"lr": tune.uniform(0, 1)},
    }
    return PopulationBasedTraining(**(arguments | changes))


def test_the_first_comes_when_the_burn_in_is_over_and_the_others_an_interval_apart() -> None:
    milestones = Milestones(time_attr="training_iteration", interval=5, burn_in=12)
    assert [milestones.after(age) for age in (0, 6, 7, 8, 12)] == [12, 12, 12, 13, 17]


@given(
    interval=st.integers(1, 50) | st.floats(0.5, 50),
    burn_in=st.integers(0, 50),
    end=st.integers(2, 100) | st.floats(1.5, 100),
)
def test_an_end_before_the_first_milestone_is_doubtful_and_no_other(interval, burn_in, end) -> None:
    scheduler = pbt(perturbation_interval=interval, burn_in_period=burn_in)
    told = scheduler.doubts({"training_iteration": end, "score": 0.9})
    assert bool(told) is (end <= max(interval, burn_in))
    assert scheduler.doubts({"score": 0.9}) == []


def test_the_doubt_says_what_to_write() -> None:
    (told,) = pbt(perturbation_interval=50).doubts({"training_iteration": 50})
    assert told == (
        "No milestone comes before the end of a trial at training_iteration 50, so nobody will copy: the "
        "first is at 50 training_iteration, the perturbation_interval. Set perturbation_interval to 5 or so"
    )
    (told,) = pbt(time_attr="time_total_s", perturbation_interval=60.0).doubts({}, time_budget_s=30)
    assert told == (
        "No milestone comes before the end of the time budget of 30 s, so nobody will copy: the first is at "
        "60 time_total_s, the perturbation_interval. Set perturbation_interval to 3 or so"
    )
    (told,) = pbt(time_attr="steps", burn_in_period=9).doubts({"steps": 9})
    assert told == (
        "No milestone comes before the end of a trial at steps 9, so nobody will copy: the first is at 9 "
        "steps, the burn_in_period. Set perturbation_interval to 1 or so, and burn_in_period to less than 9"
    )


def test_other_schedulers_leave_no_doubts() -> None:
    assert FIFOScheduler().doubts({"training_iteration": 1}, time_budget_s=1) == ()
