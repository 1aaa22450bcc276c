"""Checkpoints that are damaged when a trial is to go back to them, or to copy them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from poptune._base.types import TrialId
from poptune._core.events import Planned, Restarted, Resumed
from poptune._core.experiment import Experiment
from poptune._core.retention import Retention
from poptune._core.scheduler import Load
from poptune._core.settings import Settings
from poptune._keeping.journal import MemoryJournal, valid_results
from poptune.schedulers import Choice, FIFOScheduler, PopulationBasedTraining, Selection, Selector
from poptune.testing.simulation import SimulatedWorkers, created

A, B, C = (TrialId(f"sim_{index:05d}") for index in range(3))


@dataclass(frozen=True)
class CopyTheFirst(Selector[None]):
    """All others copy the first trial."""

    def select(self, state, population, ready, random):
        return Selection([Choice(trial=one, donor=None if one == A else A) for one in ready.trials])


class Driver:
    """A machine with a journal, and workers that do what it says."""

    def __init__(self, population: int, scheduler: Any, **settings: Any) -> None:
        self.scheduler, self.settings = scheduler, Settings(**{"slots": population, **settings})
        self.experiment = Experiment(scheduler, self.settings)
        self.workers = SimulatedWorkers()
        self.journal = MemoryJournal()
        self.handle(created([{} for _ in range(population)]))

    def handle(self, event):
        step = self.experiment.handle(event)
        self.journal.append(step.events)
        self.workers.carry_out(step.commands)
        return step

    def report(self, trial, score=1.0, *, save=True):
        return self.handle(self.workers.report(trial, score, save=save))

    def resume(self, *damaged):
        self.workers.vanish()
        self.experiment = Experiment(self.scheduler, self.settings)
        for event in self.journal.read():
            self.experiment.fold(event)
        return self.handle(Resumed(time_s=0.0, damaged=damaged))

    def iterations(self, trial):
        results = valid_results(self.journal, self.experiment.population[trial])
        return [result.iteration for result in results]


def test_a_resumed_trial_whose_newest_checkpoint_is_damaged_goes_back_to_the_one_before():
    driver = Driver(1, FIFOScheduler())
    for save in (True, True, False, True, False):
        driver.report(A, save=save)
    step = driver.resume("trial_00000/checkpoint_000003")
    trial = driver.experiment.population[A]
    assert trial.checkpoint.number == trial.iteration == 2
    assert [ref.number for ref in trial.saved] == [1, 2]
    assert trial.superseded == [(3, 5)]
    assert "checkpoint_000003 is damaged" in driver.workers.warnings[0]
    assert any(isinstance(event, Restarted) for event in step.events)
    driver.report(A)
    assert driver.iterations(A) == [1, 2, 3]
    assert trial.saved[-1].number == 4, "the number of a damaged one is not used again"


def test_a_trial_that_goes_back_twice_marks_each_lost_report_once():
    driver = Driver(1, FIFOScheduler())
    for save in (True, False, True, False):
        driver.report(A, save=save)
    driver.resume()
    assert driver.experiment.population[A].superseded == [(4, 4)]
    driver.report(A)
    driver.resume("trial_00000/checkpoint_000003", "trial_00000/checkpoint_000002")
    assert driver.experiment.population[A].superseded == [(2, 5)]
    driver.report(A)
    assert driver.iterations(A) == [1, 2]


def test_a_trial_that_has_no_other_checkpoint_begins_again():
    driver = Driver(1, FIFOScheduler(), retention=Retention(num_to_keep=1))
    for _ in range(3):
        driver.report(A)
    driver.resume("trial_00000/checkpoint_000003")
    assert driver.experiment.population[A].checkpoint is None
    driver.report(A)
    assert driver.iterations(A) == [1]


@pytest.fixture
def copies():
    """B and C have each been told to copy A; there is a slot for one of them."""
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration",
        metric="score",
        mode="max",
        perturbation_interval=2,
        synch=True,
        selector=CopyTheFirst(),
        hyperparam_mutations={"lr": [1, 2]},
    )
    driver = Driver(3, scheduler, slots=1)
    driver.workers.damaged.add("trial_00000/checkpoint_000002")
    for trial in (A, B, C):
        driver.report(trial)
        step = driver.report(trial)
    (plan,) = (event.plan for event in step.events if isinstance(event, Planned))
    assert sum(isinstance(decision.source, Load) for decision in plan.decisions) == 2
    return driver


def test_whoever_cannot_copy_a_damaged_checkpoint_goes_on_from_its_own(copies):
    population = copies.experiment.population
    while not copies.workers.stuck:
        copies.report(copies.workers.training[0])
    (stuck,) = copies.workers.stuck
    copies.handle(copies.workers.stumble(stuck))
    for trial in (B, C):
        member = population[trial]
        assert member.checkpoint.trial == trial
        assert member.failures == 0
        assert member.iteration == 2
        assert not member.superseded, "it had saved with its last result"
    assert len(copies.workers.warnings) == 1


def test_a_donor_that_trains_on_in_memory_does_not_mind_that_its_checkpoint_is_damaged(copies):
    donor = copies.experiment.population[A]
    while not copies.workers.stuck:
        copies.report(copies.workers.training[0], save=False)
    before = donor.iteration, donor.incarnation
    copies.handle(copies.workers.stumble(min(copies.workers.stuck)))
    assert (donor.iteration, donor.incarnation) == before
    if donor.checkpoint is not None:
        assert donor.checkpoint.number == 1
