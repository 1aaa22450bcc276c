"""Failures: how often, when, and what comes after the last retry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from poptune._base.types import TrialStatus
from poptune._core.commands import Start
from poptune._core.events import Failed, Left, Planned, Ticked
from poptune._core.experiment import Experiment, Step
from poptune._core.population import Trial
from poptune._core.retries import Retries
from poptune._core.settings import Settings
from poptune.schedulers import FIFOScheduler, PopulationBasedTraining
from poptune.search_space import uniform
from poptune.testing.simulation import SimulatedWorkers, created

LR = {"lr": uniform(0, 1)}


def pbt() -> Any:
    return PopulationBasedTraining(
        time_attr="training_iteration",
        metric="score",
        mode="max",
        perturbation_interval=2,
        hyperparam_mutations=LR,
    )


class Story:
    """Some trials, each in a slot of its own."""

    def __init__(self, trials: int, scheduler: Any = None, **retries: Any) -> None:
        self.machine = Experiment(scheduler or FIFOScheduler(), Settings(slots=9, retries=Retries(**retries)))
        self.workers = SimulatedWorkers()
        self.handle(created([{"lr": 0.1 * (index + 1)} for index in range(trials)]))

    def __getitem__(self, index: int) -> Trial:
        return self.machine.population.trials[index]

    def handle(self, event: Any) -> Step:
        step = self.machine.handle(event)
        self.workers.carry_out(step.commands)
        return step

    def report(self, index: int, score: float = 0.0, *, save: bool = True) -> Step:
        return self.handle(self.workers.report(self[index].id, score, save=save))

    def fail(self, index: int, time_s: float = 0.0) -> Step:
        return self.handle(self.workers.fail(self[index].id, time_s=time_s))

    def statuses(self) -> list[str]:
        return [trial.status.value for trial in self.machine.population.trials]


def test_a_trial_that_failed_rests_for_longer_each_time() -> None:
    story = Story(1, per_trial=-1, pause_s=10.0)
    for pause_s in (10.0, 20.0, 40.0):
        assert story.fail(0, time_s=100.0).commands == []
        assert story[0].status is TrialStatus.PENDING
        assert story.machine.wakes_at_s == 100.0 + pause_s
        assert story.handle(Ticked(time_s=100.0 + pause_s - 1)).commands == []
        (start,) = story.handle(Ticked(time_s=100.0 + pause_s)).commands
        assert isinstance(start, Start)
        assert story.machine.wakes_at_s is None


def test_no_rest_is_longer_than_the_longest() -> None:
    retries = Retries(per_trial=-1, pause_s=10.0, longest_pause_s=25.0)
    story = Story(1, per_trial=-1)
    for pause_s in (10.0, 20.0, 25.0, 25.0):
        story.fail(0)
        assert retries.pause_of(story[0]) == pause_s
    story[0].failures = 10_000
    assert retries.pause_of(story[0]) == 25.0


def test_a_trial_that_rests_is_stopped_with_all_others() -> None:
    story = Story(2, per_trial=1, pause_s=5.0, in_all=1)
    story.fail(0)
    story.handle(story.workers.end(story[1].id))
    assert not story.machine.finished
    story.handle(Ticked(time_s=99.0))
    story.fail(0)
    assert story.machine.finished
    assert story.statuses() == ["ERROR", "TERMINATED"]


def test_the_failures_of_all_trials_have_a_limit_of_their_own() -> None:
    story = Story(3, per_trial=-1, in_all=2)
    story.fail(0)
    story.fail(1)
    assert story.statuses() == ["RUNNING"] * 3
    story.fail(2)
    story.fail(0)
    assert story.statuses() == ["ERROR", "RUNNING", "ERROR"]


def test_a_new_controller_counts_the_failures_of_the_old_one() -> None:
    story = Story(2, per_trial=-1, in_all=1)
    failed = story.fail(0).events
    other = Experiment(FIFOScheduler(), Settings(slots=9, retries=Retries(per_trial=-1, in_all=1)))
    for event in [created([{"lr": 0.1}, {"lr": 0.2}]), *failed]:
        other.fold(event)
    second = Failed(time_s=0.0, trial=story[1].id, incarnation=0, error="boom")
    assert any(isinstance(event, Left) for event in other.handle(second).events)


def reborn(scores: Mapping[int, float], **retries: Any) -> tuple[Story, Step]:
    """Some trials report and save; then the first one fails for the last time."""
    story = Story(4, pbt(), rebirth=True, **retries)
    for index, score in scores.items():
        story.report(index, score)
    return story, story.fail(0)


def test_a_trial_that_failed_too_often_is_reborn_as_a_copy_of_one_of_the_best() -> None:
    story, step = reborn({1: 1.0, 2: 3.0, 3: 2.0})
    (start,) = step.commands
    assert isinstance(start, Start)
    assert start.checkpoint == story[2].checkpoint
    assert start.config != {"lr": 0.1}
    assert story[0].donor == story[2].id
    assert story.statuses() == ["RUNNING"] * 4
    (planned,) = [event for event in step.events if isinstance(event, Planned)]
    assert planned.plan.decisions[0].reason == f"failed too often; reborn as a copy of {story[2].id}"


def test_with_its_new_life_it_gets_its_retries_back() -> None:
    story, _ = reborn({1: 1.0, 2: 3.0}, per_trial=0)
    story.machine._books.failures._retries = Retries(per_trial=1, rebirth=True)
    assert not any(isinstance(event, Planned) for event in story.fail(0).events), "the first is forgiven"
    assert any(isinstance(event, Planned) for event in story.fail(0).events)


@pytest.mark.parametrize("scores", [{}, {0: 5.0}, {1: float("nan")}])
def test_where_nobody_can_be_copied_it_is_given_up(scores: Mapping[int, float]) -> None:
    story, _ = reborn(scores)
    assert story[0].status is TrialStatus.ERROR
    assert story[0].reason == "failed, and there is nobody to copy"


def test_fail_fast_lets_a_reborn_trial_live_but_not_one_that_is_given_up() -> None:
    story, _ = reborn({1: 1.0}, fail_fast=True)
    assert story.statuses() == ["RUNNING"] * 4
    story, _ = reborn({}, fail_fast=True)
    assert story.statuses() == ["ERROR", *["TERMINATED"] * 3]
