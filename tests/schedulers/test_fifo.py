from __future__ import annotations

import pytest

from poptune._base.types import TrialId
from poptune._core.experiment import Experiment
from poptune._core.scheduler import Decision, Needs, Plan, Ready, Run
from poptune._core.settings import Settings
from poptune.errors import ConfigurationError
from poptune.schedulers import FIFOScheduler
from poptune.testing.simulation import World, created


def test_every_trial_trains_to_its_end_with_the_config_that_it_has() -> None:
    scheduler = FIFOScheduler()
    ready = Ready(cause="start", trials=(TrialId("a"), TrialId("b")))
    assert scheduler.decide(None, None, ready, None) == Plan(
        decisions=(Decision(trial=TrialId("a"), next=Run()), Decision(trial=TrialId("b"), next=Run()))
    )


def test_trials_run_one_after_another_on_one_slot() -> None:
    machine = Experiment(FIFOScheduler(), Settings(slots=1))
    order: list[int] = []

    def train(trial, iteration, config) -> float:
        order.append(trial.index)
        return 0.0

    world = World(machine, train, iterations=3)
    world.run(created([{}, {}, {}], metric=None, mode=None))
    assert order == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert machine.finished


@pytest.mark.parametrize(
    ("own", "given", "expected"),
    [
        ((None, None), ("loss", "min"), ("loss", "min")),
        (("loss", "min"), (None, None), ("loss", "min")),
        (("loss", "min"), ("loss", "min"), ("loss", "min")),
        ((None, None), (None, None), (None, None)),
        (("loss", None), (None, "max"), ("loss", "max")),
    ],
)
def test_metric_and_mode_come_from_either_place(own, given, expected) -> None:
    scheduler = FIFOScheduler(metric=own[0], mode=own[1]).for_metric(*given)
    assert scheduler.needs == Needs(metric=expected[0], mode=expected[1])


@pytest.mark.parametrize(("metric", "mode"), [("loss", "min"), ("accuracy", "max")])
def test_two_places_that_differ_are_an_error(metric, mode) -> None:
    with pytest.raises(ConfigurationError, match="must be the same in TuneConfig and FIFOScheduler"):
        FIFOScheduler(metric="loss", mode="max").for_metric(metric, mode)


def test_a_mode_that_is_none_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match='mode must be "min" or "max", got \'best\''):
        FIFOScheduler(mode="best")


def test_the_live_view_says_that_it_is_fifo() -> None:
    assert FIFOScheduler().describe(None, None).startswith("FIFO")
