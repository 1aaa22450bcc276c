"""What a controller that takes over knows of the sessions before it."""

import pytest

from poptune._core.events import Completed, Reported, Restarted, Resumed
from poptune._core.population import Population
from poptune._running.controller.recovery import remind, spent_s
from poptune.stoppers import FunctionStopper, Stopper
from poptune.testing.simulation import created


class Notes(Stopper):
    def __init__(self):
        self.seen = []

    def __call__(self, trial_id, result):
        self.seen.append((trial_id, result["n"]))
        return True


def result(number, trial="sim_00000", *, time_s=0.0, checkpoint=None):
    return Reported(
        time_s=time_s,
        trial=trial,
        incarnation=0,
        iteration=number,
        metrics={"n": number},
        checkpoint=checkpoint,
    )


def fold(events):
    population = Population()
    for event in events:
        population.apply(event)
    return population


def test_stoppers_see_again_what_they_had_seen_but_for_what_became_void():
    events = [
        created([{}, {}]),
        result(1, checkpoint=1),
        result(2),
        result(7, "sim_00001"),
        Restarted(trial="sim_00000", cause="resumed"),
        result(3),
    ]
    notes = Notes()
    remind([notes], events, fold(events))
    assert notes.seen == [("sim_00000", 1), ("sim_00001", 7), ("sim_00000", 3)]


def test_a_function_is_not_asked_about_old_results():
    events = [created([{}]), result(1)]
    remind([FunctionStopper(lambda trial, result: 1 / 0)], events, fold(events))


@pytest.mark.parametrize(
    ("events", "spent"),
    [
        ([created([{}])], 0.0),
        ([created([{}]), result(1, time_s=5.0)], 5.0),
        ([created([{}]), result(1, time_s=5.0), Resumed(time_s=100.0)], 5.0),
        ([created([{}]), result(1, time_s=5.0), Resumed(time_s=100.0), result(2, time_s=107.0)], 12.0),
        ([created([{}]), result(1, time_s=5.0), result(2, time_s=4.0), Completed(time_s=6.0)], 6.0),
    ],
)
def test_only_the_time_within_sessions_counts(events, spent):
    assert spent_s(events) == spent
