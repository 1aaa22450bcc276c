"""The machine by hand: events in, records and commands out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec.structs import replace

from poptune._base.types import CheckpointId, TrialId, TrialStatus
from poptune._core.commands import Delete, Proceed, Release, Start, Warn
from poptune._core.events import (
    Completed,
    Event,
    Failed,
    Forgotten,
    Input,
    Left,
    Planned,
    PopulationStopped,
    Reported,
    ResidentsLimited,
    Restarted,
    Resumed,
    Returned,
    SlotsChanged,
)
from poptune._core.experiment import Experiment, Step
from poptune._core.population import Trial
from poptune._core.retention import Retention
from poptune._core.retries import Retries
from poptune._core.scheduler import Decision, End, Keep, Load, Plan, Run, Scheduler
from poptune._core.settings import Settings
from poptune.errors import InternalError, SchedulerError
from poptune.schedulers import (
    Choice,
    Explored,
    Explorer,
    FIFOScheduler,
    PopulationBasedTraining,
    Selection,
    Selector,
    reborn,
)
from poptune.testing.simulation import SimulatedWorkers, created

T = [TrialId(f"sim_{index:05d}") for index in range(6)]


@dataclass(frozen=True)
class Copies(Selector[None]):
    """Says who copies whom, by index."""

    donors: Mapping[int, int] = field(default_factory=dict)

    def select(self, state, population, ready, random):
        if ready.cause == "exhausted":
            return reborn(population, ready, random)
        donors = {T[recipient]: T[donor] for recipient, donor in self.donors.items()}
        return Selection([Choice(trial=trial, donor=donors.get(trial)) for trial in ready.trials])


@dataclass(frozen=True)
class Mark(Explorer[None]):
    """Explores so that it can be seen."""

    def explore(self, state, population, copy, draw):
        return Explored({**copy.config, "explored": True})


def pbt(*, interval: float = 2, synch: bool = False, donors: Mapping[int, int] | None = None) -> Any:
    return PopulationBasedTraining(
        time_attr="training_iteration",
        metric="score",
        mode="max",
        perturbation_interval=interval,
        synch=synch,
        selector=Copies(donors or {}),
        explorer=Mark(),
    )


class Driver:
    """A machine, and workers that do what it says."""

    def __init__(self, population: int, scheduler: Scheduler[Any], **settings: Any) -> None:
        self.scheduler = scheduler
        self.settings = Settings(**{"slots": population, **settings})
        self.experiment = Experiment(scheduler, self.settings)
        self.workers = SimulatedWorkers()
        self.records: list[Event] = []
        self.first = self.handle(created([{"lr": float(index)} for index in range(population)]))

    def __getitem__(self, index: int) -> Trial:
        return self.experiment.population[T[index]]

    def handle(self, event: Input) -> Step:
        step = self.experiment.handle(event)
        self.records.extend(step.events)
        self.workers.carry_out(step.commands)
        return step

    def report(self, index: int, score: float = 0.0, *, save: bool = True, stop: str = "") -> Step:
        return self.handle(self.workers.report(T[index], score, save=save, stop=stop))

    def train(self, index: int, iterations: int, score: float = 0.0, *, save: bool = True) -> Step:
        for _ in range(iterations):
            step = self.report(index, score, save=save)
        return step

    def fail(self, index: int) -> Step:
        return self.handle(self.workers.fail(T[index]))

    def resume(self) -> Step:
        self.workers.vanish()
        self.experiment = Experiment(self.scheduler, self.settings)
        for event in self.records:
            self.experiment.fold(event)
        return self.handle(Resumed(time_s=0.0))

    @property
    def running(self) -> list[int]:
        return sorted(T.index(trial) for trial in self.experiment.running)


def start(index: int, **changes: Any) -> Start:
    fresh = Start(
        trial=T[index],
        incarnation=0,
        config={"lr": float(index)},
        checkpoint=None,
        until=2,
        next_save=1,
        resident=False,
    )
    return replace(fresh, **changes)


def proceed(index: int, until: float | None, incarnation: int = 0) -> Proceed:
    return Proceed(trial=T[index], incarnation=incarnation, until=until)


def kinds(step: Step) -> list[type]:
    return [type(event) for event in step.events]


def test_the_first_slots_go_out_by_index() -> None:
    drive = Driver(3, pbt(), slots=2)
    assert drive.first.commands == [start(0), start(1)]
    assert kinds(drive.first)[1:] == [Planned]
    assert [trial.status for trial in drive.experiment.population.trials] == [
        TrialStatus.RUNNING,
        TrialStatus.RUNNING,
        TrialStatus.PENDING,
    ]


def test_a_report_that_is_no_milestone_is_only_recorded() -> None:
    step = Driver(2, pbt()).report(0)
    assert kinds(step) == [Reported]
    assert step.commands == []


def test_a_trial_at_its_milestone_goes_on_where_nobody_waits() -> None:
    step = Driver(2, pbt()).train(0, 2)
    assert step.commands == [proceed(0, until=4)]
    assert kinds(step) == [Reported, Planned]


def test_a_trial_keeps_its_slot_until_one_in_line_is_a_whole_interval_behind() -> None:
    drive = Driver(3, pbt(), slots=2)
    assert drive.train(0, 2).commands == [start(2)]
    assert drive[0].status is TrialStatus.PAUSED
    assert drive.train(1, 2).commands == [proceed(1, until=4)]
    assert drive.train(1, 2).commands == [proceed(0, until=4)]
    assert drive.running == [0, 2]


def test_four_trials_on_two_slots_alternate() -> None:
    drive = Driver(4, pbt(), slots=2)
    turns = []
    for _ in range(7):
        turns.append(drive.running)
        for index in drive.running:
            drive.train(index, 2)
    assert turns == [[0, 1], [2, 3], [2, 3], [0, 1], [0, 1], [2, 3], [2, 3]]
    assert max(trial.age for trial in drive.experiment.population.trials) == 8


def test_an_exploit_makes_no_other_trial_pause_however_far_ahead_the_donor_is() -> None:
    drive = Driver(3, pbt(donors={1: 0}), slots=2)
    drive.train(0, 2)
    drive.train(2, 2)
    drive.workers.trials[T[1]].until = 2
    for _ in range(2):
        step = drive.report(1)
    assert drive.running == [1, 2]
    assert [type(command) for command in step.commands] == [Start]
    assert step.commands[0].resident


def test_a_trial_that_falls_back_to_the_age_of_one_in_line_still_lets_it_go_first() -> None:
    drive = Driver(2, pbt(donors={1: 0}), slots=1)
    drive.train(0, 2)
    assert drive.running == [1]
    step = drive.train(1, 2)
    assert drive[1].donor == T[0]
    assert step.commands == [start(1, incarnation=1, **_copied(drive, 1), until=4, next_save=3)]
    step = drive.train(1, 2)
    assert step.commands == [proceed(0, until=4)], "it reached 4, whoever it copies there"


def _copied(drive: Driver, index: int) -> dict[str, Any]:
    trial = drive[index]
    copied = {"config": trial.config, "donor_config": trial.donor_config, "checkpoint": trial.checkpoint}
    return {**copied, "resident": True}


def test_an_exploit_enters_the_code_anew_in_its_own_worker_from_the_donors_checkpoint() -> None:
    drive = Driver(2, pbt(donors={1: 0}))
    drive.train(0, 3, score=5.0)
    donated = drive[0].checkpoint
    step = drive.train(1, 2, score=1.0)
    assert donated is not None
    assert (donated.trial, donated.iteration, donated.score) == (T[0], 3, 5.0)
    assert step.commands == [
        start(
            1,
            incarnation=1,
            config={"lr": 0.0, "explored": True},
            donor_config={"lr": 0.0},
            checkpoint=donated,
            until=5,
            next_save=3,
            resident=True,
        )
    ]
    assert kinds(step) == [Reported, Planned], "the decision is recorded with the command that it explains"


def test_a_recipient_goes_on_from_the_values_of_the_checkpoint() -> None:
    drive = Driver(2, pbt(donors={1: 0}))
    drive.train(0, 3, score=5.0)
    drive.train(1, 2, score=1.0)
    recipient = drive[1]
    assert (recipient.iteration, recipient.age, recipient.score, recipient.time_total_s) == (3, 3, 5.0, 3.0)
    assert (recipient.donor, recipient.exploits, recipient.generation) == (T[0], 1, 1)
    assert (drive[0].exploits, drive[0].generation) == (0, 0)


def test_a_barrier_opens_only_when_all_have_arrived() -> None:
    drive = Driver(3, pbt(synch=True, donors={0: 2}))
    for index in (1, 0):
        step = drive.train(index, 2)
        assert kinds(step) == [Reported]
        assert step.commands == []
    step = drive.train(2, 2)
    assert kinds(step) == [Reported, Planned]
    assert [decision.trial for decision in step.events[-1].plan.decisions] == [T[0], T[1], T[2]]
    assert step.commands == [
        start(
            0,
            incarnation=1,
            config={"lr": 2.0, "explored": True},
            donor_config={"lr": 2.0},
            checkpoint=drive[2].checkpoint,
            until=4,
            next_save=3,
            resident=True,
        ),
        proceed(1, until=4),
        proceed(2, until=4),
    ]


def test_a_slot_at_a_barrier_goes_to_the_next_in_line() -> None:
    drive = Driver(3, pbt(synch=True), slots=1)
    assert drive.train(0, 2).commands == [start(1)]
    assert drive.train(1, 2).commands == [start(2)]
    assert drive.train(2, 2).commands == [proceed(0, until=4)]


@pytest.mark.parametrize("how", ["fails", "returns", "stops"])
@pytest.mark.parametrize("when", ["before the others arrive", "after the others arrived"])
def test_a_trial_that_is_gone_never_blocks_a_barrier(how: str, when: str) -> None:
    drive = Driver(3, pbt(synch=True))

    def leave() -> Step:
        if how == "fails":
            return drive.fail(2)
        return drive.report(2, stop="enough") if how == "stops" else drive.handle(drive.workers.end(T[2]))

    if when.startswith("before"):
        leave()
    drive.train(0, 2)
    step = drive.train(1, 2)
    if when.startswith("after"):
        assert step.commands == []
        step = leave()
        assert Left in kinds(step)
    assert kinds(step)[-1] is Planned
    assert step.commands == [proceed(0, until=4), proceed(1, until=4)]


def test_a_trial_that_dies_at_the_barrier_unsaved_is_waited_for() -> None:
    drive = Driver(2, pbt(synch=True), retries=Retries(per_trial=1))
    drive.train(0, 2, save=False)
    step = drive.fail(0)
    assert step.commands == [start(0, incarnation=1)]
    assert kinds(drive.train(1, 2)) == [Reported]
    assert kinds(drive.train(0, 2)) == [Reported, Planned]


def test_a_trial_that_dies_at_the_barrier_saved_still_counts_as_arrived() -> None:
    drive = Driver(2, pbt(synch=True), retries=Retries(per_trial=1))
    drive.train(0, 2)
    assert drive.fail(0).commands == []
    assert drive[0].status is TrialStatus.PENDING
    step = drive.train(1, 2)
    assert step.commands == [
        start(0, incarnation=1, checkpoint=drive[0].checkpoint, until=4, next_save=3),
        proceed(1, until=4),
    ]


def test_a_failed_trial_is_retried_from_its_newest_checkpoint_and_then_given_up() -> None:
    drive = Driver(2, pbt(interval=10), retries=Retries(per_trial=2))
    drive.report(0, save=True)
    drive.report(0, save=False)
    for failure in (1, 2):
        step = drive.fail(0)
        assert kinds(step) == [Failed, Restarted]
        assert step.commands == [
            start(0, incarnation=failure, checkpoint=drive[0].checkpoint, until=10, next_save=2)
        ]
        assert drive[0].iteration == 1
    assert drive[0].superseded == [(2, 2)]
    step = drive.fail(0)
    assert step.events[1:] == [Left(trial=T[0], status=TrialStatus.ERROR, reason="failed", cause="failed")]
    assert step.commands == []
    assert drive[0].error == "it died"
    assert drive.running == [1]
    assert kinds(drive.report(1)) == [Reported]


def test_a_trial_without_a_checkpoint_is_retried_from_the_start() -> None:
    drive = Driver(1, pbt(interval=10), retries=Retries(per_trial=1))
    drive.train(0, 3, save=False)
    assert drive.fail(0).commands == [start(0, incarnation=1, until=10)]
    assert (drive[0].iteration, drive[0].score, drive[0].superseded) == (0, None, [(1, 3)])


def test_retries_have_no_limit_at_minus_one() -> None:
    drive = Driver(1, pbt(), retries=Retries(per_trial=-1))
    for failure in range(1, 20):
        assert drive.fail(0).commands == [start(0, incarnation=failure)]


def test_the_slot_of_a_dead_trial_goes_to_the_next_in_line() -> None:
    drive = Driver(3, pbt(), slots=1)
    assert drive.fail(0).commands == [start(1)]
    assert drive.handle(drive.workers.end(T[1])).commands == [start(2)]
    drive.report(2, stop="enough")
    assert drive.experiment.finished


def test_with_fail_fast_the_first_trial_that_is_given_up_ends_everything() -> None:
    drive = Driver(3, pbt(), slots=2, retries=Retries(fail_fast=True))
    step = drive.fail(0)
    assert [(event.trial, event.status) for event in step.events if isinstance(event, Left)] == [
        (T[0], TrialStatus.ERROR),
        (T[1], TrialStatus.TERMINATED),
        (T[2], TrialStatus.TERMINATED),
    ]
    assert step.commands == [Release(trial=T[1])]
    assert drive.experiment.finished


@pytest.mark.parametrize(
    "message",
    [
        Reported(time_s=0.0, trial=T[0], incarnation=0, iteration=1, metrics={"training_iteration": 1}),
        Returned(time_s=0.0, trial=T[0], incarnation=0),
        Failed(time_s=0.0, trial=T[0], incarnation=0, error="late"),
    ],
    ids=lambda message: type(message).__name__,
)
def test_messages_of_an_old_incarnation_or_a_trial_that_left_are_ignored(message: Input) -> None:
    drive = Driver(2, pbt(), retries=Retries(per_trial=1))
    drive.fail(0)
    assert drive.handle(message) == Step()
    drive.fail(0)
    assert drive.handle(replace(message, incarnation=1)) == Step()


def test_a_message_from_the_future_is_an_error_that_tells_the_trials_story() -> None:
    drive = Driver(2, pbt())
    drive.train(0, 2)
    with pytest.raises(InternalError, match="incarnation 7, but only 0 were started") as caught:
        drive.handle(Returned(time_s=0.0, trial=T[0], incarnation=7))
    assert "iteration=2" in str(caught.value)
    assert "Run(until=4" in str(caught.value)


def test_passing_a_milestone_without_waiting_is_an_error_that_tells_where() -> None:
    drive = Driver(1, pbt())
    reported = replace(drive.workers.report(T[0], 1.0, save=False), metrics={"training_iteration": 2})
    with pytest.raises(InternalError, match=r"sim_00000 passed its milestone Run\(until=2"):
        drive.handle(reported)


@dataclass(frozen=True, kw_only=True)
class Drifting(FIFOScheduler):
    """Has each trial go on as it stands, with another config every two iterations."""

    def decide(self, state, population, ready, random):
        trials = [population[trial] for trial in ready.trials]
        return Plan(
            decisions=tuple(
                Decision(trial=trial.id, next=Run(until=trial.age + 2), config={"lr": trial.age})
                for trial in trials
            )
        )


@dataclass(frozen=True, kw_only=True)
class Steady(Drifting):
    """The same, but the config that it names stays the one that the trial has."""

    def decide(self, state, population, ready, random):
        (decision,) = super().decide(state, population, ready, random).decisions
        return Plan(decisions=(replace(decision, config=dict(population[decision.trial].config)),))


def test_a_new_config_of_a_trial_that_goes_on_reaches_its_worker() -> None:
    drive = Driver(1, Drifting())
    assert drive.train(0, 2).commands == [replace(proceed(0, until=4), config={"lr": 2.0})]
    assert drive.workers.trials[T[0]].config == drive[0].config == {"lr": 2.0}
    assert drive.train(0, 1).commands == []


def test_a_config_that_stays_is_not_sent() -> None:
    drive = Driver(1, Steady())
    assert drive.train(0, 2).commands == [proceed(0, until=4)]


@dataclass(frozen=True, kw_only=True)
class Archivist(FIFOScheduler):
    """Pins what a trial has saved at 2, goes back to it at 4, and lets go of it then."""

    def decide(self, state, population, ready, random):
        trial = population[ready.trials[0]]
        further = Decision(trial=trial.id, next=Run(until=trial.age + 2))
        if trial.age == 2 and not population.pinned:
            return Plan(decisions=(further,), pin=(trial.saved[-1].id,))
        if trial.age == 4 and population.pinned:
            (first,) = [ref for ref in trial.saved if ref.id in population.pinned]
            back = replace(further, source=Load(first), next=Run(until=3.0))
            return Plan(decisions=(back,), unpin=(first.id,))
        return Plan(decisions=(further,))


def test_what_a_scheduler_has_pinned_outlives_retention_until_it_lets_go() -> None:
    drive = Driver(1, Archivist(), retention=Retention(num_to_keep=1))
    drive.train(0, 2)
    pinned = drive[0].checkpoint
    drive.train(0, 1)
    assert [ref.number for ref in drive[0].saved] == [2, 3], "the first is pinned, the other the newest"
    step = drive.train(0, 1)
    (entered,) = [command for command in step.commands if isinstance(command, Start)]
    assert entered.checkpoint == pinned
    drive.train(0, 1)
    assert [ref.number for ref in drive[0].saved] == [5], "what is unpinned goes when nobody stands on it"
    drive.resume()
    assert drive.experiment.population.pinned == set()


class Asked(PopulationBasedTraining):
    """Keeps what it was asked."""

    def decide(self, state, population, ready, random):
        asked.append((ready.cause, ready.trials, ready.barrier))
        return super().decide(state, population, ready, random)


asked: list[tuple[str, tuple[str, ...], str | None]] = []


@pytest.mark.parametrize("synch", [True, False])
def test_a_scheduler_is_told_the_barrier_at_which_those_have_met_that_await_it(synch: bool) -> None:
    asked.clear()
    mutations = {"lr": [0.0, 1.0]}
    scheduler = Asked(
        time_attr="training_iteration",
        metric="score",
        mode="max",
        perturbation_interval=2,
        hyperparam_mutations=mutations,
        synch=synch,
    )
    drive = Driver(2, scheduler)
    drive.train(0, 2)
    drive.train(1, 2, score=1.0)
    met = [("milestone", (T[0], T[1]), "perturbation")]
    alone = [("milestone", (trial,), None) for trial in (T[0], T[1])]
    assert asked == [("start", (T[0], T[1]), None), *(met if synch else alone)]


def test_code_that_declines_a_config_is_entered_anew_from_its_newest_state() -> None:
    drive = Driver(1, Drifting())
    drive.workers.takes_configs = False
    drive.train(0, 2)
    before = drive[0].checkpoint
    step = drive.handle(drive.workers.decline(T[0]))
    assert step.events[1:] == [Restarted(trial=T[0], cause="reconfigured")]
    assert step.commands == [
        start(
            0,
            incarnation=1,
            config={"lr": 2.0},
            checkpoint=before,
            until=4,
            next_save=3,
            donor_config={"lr": 0.0},
            resident=True,
        )
    ]
    assert drive[0].iteration == 2
    assert drive[0].superseded == []


def test_code_that_declines_goes_back_to_what_it_has_saved_and_that_is_told() -> None:
    drive = Driver(1, Drifting())
    drive.workers.takes_configs = False
    drive.train(0, 1)
    drive.train(0, 1, save=False)
    step = drive.handle(drive.workers.decline(T[0]))
    assert [type(command) for command in step.commands] == [Warn, Start]
    assert "goes back for that to an older checkpoint" in drive.workers.warnings[0]
    assert (drive[0].iteration, drive[0].superseded) == (1, [(2, 2)])
    assert drive.train(0, 3).commands == [replace(proceed(0, until=6, incarnation=1), config={"lr": 4.0})]


def test_who_declines_too_late_is_not_heard() -> None:
    drive = Driver(1, Drifting())
    drive.workers.takes_configs = False
    drive.train(0, 2)
    declined = drive.workers.decline(T[0])
    drive.resume()
    assert drive.handle(declined).events == []


def test_a_new_config_waits_for_a_slot_and_survives_an_eviction() -> None:
    drive = Driver(2, Drifting(), slots=1)
    drive.train(0, 2)  # yields to the other, which is younger
    assert drive.running == [1]
    drive.train(1, 2)
    assert drive.train(1, 2).commands == [replace(proceed(0, until=4), config={"lr": 2.0})]
    evicting = Driver(2, Drifting(), slots=1, max_residents=1)
    evicting.train(0, 2)
    evicting.train(1, 2)
    entered = evicting.train(1, 2).commands[-1]
    assert isinstance(entered, Start)
    assert entered.config == {"lr": 2.0}


def test_a_worker_that_waits_too_early_is_told_to_go_on() -> None:
    drive = Driver(1, pbt())
    reported = drive.workers.report(T[0], 1.0, save=False)
    drive.workers.trials[T[0]].waiting = True
    assert drive.handle(replace(reported, waiting=True)).commands == [proceed(0, until=2)]


class Answers(FIFOScheduler):
    """Answers with given trials, whoever is asked about."""

    answered: tuple[TrialId, ...] = ()

    def decide(self, state, population, ready, random):
        return Plan(decisions=tuple(Decision(trial=trial, next=Run()) for trial in self.answered))


@pytest.mark.parametrize("answered", [(), (T[0],), (T[0], T[0]), (T[0], T[1], T[1]), (T[0], T[2])])
def test_a_plan_that_does_not_answer_each_ready_trial_once_is_an_error(answered: tuple[TrialId, ...]) -> None:
    scheduler = type("Forgetful", (Answers,), {"answered": answered})()
    with pytest.raises(
        SchedulerError, match=r"Forgetful .*each ready trial must be answered once: ready are .*00001"
    ):
        Driver(2, scheduler)


def test_a_full_memory_evicts_a_saved_trial_that_waits() -> None:
    drive = Driver(3, pbt(synch=True), slots=1, max_residents=1)
    step = drive.train(0, 2)
    assert step.commands == [Release(trial=T[0]), start(1)]
    assert step.events[-1] == Restarted(trial=T[0], cause="evicted")
    assert drive[0].superseded == []
    drive.train(1, 2)
    step = drive.train(2, 2)
    assert step.commands == [
        Release(trial=T[2]),
        start(0, incarnation=1, checkpoint=drive[0].checkpoint, until=4, next_save=3),
    ]


def test_whoever_waits_longest_is_evicted_first() -> None:
    drive = Driver(4, pbt(synch=True), slots=2, max_residents=3)
    assert drive.train(1, 2).commands == [start(2)]
    assert drive.train(0, 2).commands == [Release(trial=T[1]), start(3)]


def test_a_trial_that_would_lose_results_at_a_barrier_is_not_evicted_and_the_user_hears_of_it_once() -> None:
    drive = Driver(4, pbt(synch=True), slots=1, max_residents=1)
    step = drive.train(0, 2, save=False)
    assert [type(command) for command in step.commands] == [Warn, Start]
    assert step.commands[0].message.startswith("More than 1 trials are held in memory")
    assert drive.train(1, 2, save=False).commands == [start(2)]
    assert drive[0].status is TrialStatus.PAUSED


def test_at_a_barrier_a_trial_is_not_evicted_to_an_older_checkpoint() -> None:
    drive = Driver(3, pbt(synch=True), slots=1, max_residents=1)
    drive.report(0, save=True)
    step = drive.report(0, save=False)
    assert [type(command) for command in step.commands] == [Warn, Start]
    assert drive[0].superseded == []


def test_another_is_evicted_where_the_longest_waiting_would_lose_results() -> None:
    drive = Driver(4, pbt(synch=True), slots=2, max_residents=3)
    drive.train(0, 2, save=False)
    assert drive.train(1, 2).commands == [Release(trial=T[1]), start(3)]


def test_away_from_a_barrier_a_trial_is_evicted_to_an_older_checkpoint() -> None:
    drive = Driver(2, pbt(), slots=1, max_residents=1)
    drive.report(0)
    assert drive.report(0, save=False).commands == [Release(trial=T[0]), start(1)]
    assert (drive[0].iteration, drive[0].superseded) == (1, [(2, 2)])
    assert drive[0].run.until == 4, "the milestone was decided, and is not decided again"


def test_without_any_checkpoint_no_trial_is_evicted() -> None:
    drive = Driver(2, pbt(), slots=1, max_residents=1)
    step = drive.train(0, 2, save=False)
    assert [type(command) for command in step.commands] == [Warn, Start]


def test_a_lower_limit_of_residents_evicts_at_once_but_never_a_running_trial() -> None:
    drive = Driver(4, pbt(), slots=2)
    for index in (0, 1):
        drive.train(index, 2)
    step = drive.handle(ResidentsLimited(time_s=0.0, limit=3))
    assert step.commands == [Release(trial=T[0])]
    assert drive.handle(ResidentsLimited(time_s=0.0, limit=0)).commands == [Release(trial=T[1])]
    assert drive.running == [2, 3]
    assert drive.train(2, 4).commands == [
        Release(trial=T[2]),
        start(0, incarnation=1, checkpoint=drive[0].checkpoint, until=4, next_save=3),
    ], "as many as there are slots may always be held"


def test_machines_that_join_are_used_at_once_and_those_that_leave_take_nobody_s_turn_away() -> None:
    drive = Driver(4, pbt(), slots=1, max_residents=1)
    assert drive.handle(SlotsChanged(time_s=0.0, slots=3)).commands == [start(1), start(2)]
    assert drive.handle(SlotsChanged(time_s=0.0, slots=2)).commands == []
    assert drive.running == [0, 1, 2], "who runs is not stopped"
    drive.train(0, 2)
    assert drive.running == [1, 2], "but nobody comes in the place of the next that yields"
    assert drive.handle(SlotsChanged(time_s=0.0, slots=4)).commands[:1] == [start(3)]


def test_a_lower_limit_of_residents_is_no_cause_for_a_warning_where_nobody_can_be_evicted() -> None:
    drive = Driver(3, pbt(), slots=1)
    drive.train(0, 2, save=False)
    assert drive.handle(ResidentsLimited(time_s=0.0, limit=1)).commands == []
    assert drive[0].status is TrialStatus.PAUSED


def test_stopping_the_population_releases_every_resident() -> None:
    drive = Driver(4, pbt(), slots=2, retries=Retries(per_trial=0))
    drive.train(0, 2)
    step = drive.handle(PopulationStopped(time_s=0.0, reason="the time is up"))
    assert step.commands == [Release(trial=T[index]) for index in (0, 1, 2)]
    assert step.events[1:] == [
        Left(trial=trial, status=TrialStatus.TERMINATED, reason="the time is up", cause="ended with all")
        for trial in T[:4]
    ]
    assert drive.experiment.finished
    assert drive.handle(Completed(time_s=1.0)).commands == []
    assert drive.experiment.population.completed


def test_a_trial_that_stops_while_it_waits_is_released() -> None:
    drive = Driver(2, pbt(interval=1))
    reported = drive.workers.report(T[0], 1.0, save=False)
    assert reported.waiting
    assert drive.handle(replace(reported, stop="enough")).commands == [Release(trial=T[0])]


def test_a_trial_that_is_stopped_from_outside_amid_its_training_is_released() -> None:
    drive = Driver(2, pbt())
    reported = drive.workers.report(T[0], 1.0, save=False)
    step = drive.handle(replace(reported, stop="the stopper said so", overruled=True))
    assert step.commands == [Release(trial=T[0])]
    assert step.events[1:] == [
        Left(trial=T[0], status=TrialStatus.TERMINATED, reason="the stopper said so", cause="stopped"),
    ]


class Culls(FIFOScheduler):
    """Ends whoever checks in with a score below zero; the others go on, by twos."""

    barrier: str | None = None
    yields = True

    def decide(self, state, population, ready, random):
        def answer(trial: TrialId) -> Run | End:
            member = population[trial]
            low = member.score is not None and member.score < 0
            return End() if low else Run(until=member.age + 2, barrier=self.barrier, yields=self.yields)

        return Plan(decisions=tuple(Decision(trial=t, next=answer(t), reason="culled") for t in ready.trials))


def culls(**attributes: Any) -> Any:
    return type("Culls", (Culls,), attributes)(metric="score", mode="max")


def test_a_decision_to_end_a_trial_releases_it_and_its_slot() -> None:
    drive = Driver(3, culls(), slots=2)
    step = drive.train(0, 2, score=-1.0)
    assert step.events[2:] == [
        Left(trial=T[0], status=TrialStatus.TERMINATED, reason="culled", cause="decided")
    ]
    assert step.commands == [Release(trial=T[0]), start(2)]
    assert drive.resume().commands == [start(1, incarnation=1), start(2, incarnation=1)]


def test_trials_ended_at_a_barrier_are_not_waited_for_at_the_next() -> None:
    drive = Driver(3, culls(barrier="cull"))
    for index, score in [(0, 1.0), (1, -1.0)]:
        assert drive.train(index, 2, score=score).commands == []
    assert drive.train(2, 2, score=-1.0).commands == [
        Release(trial=T[1]),
        Release(trial=T[2]),
        proceed(0, until=4),
    ]
    step = drive.train(0, 2, score=-1.0)
    assert step.commands == [Release(trial=T[0])]
    assert drive.experiment.finished


@pytest.mark.parametrize(("yields", "running"), [(True, [1]), (False, [0])])
def test_a_run_that_does_not_yield_keeps_its_slot(yields: bool, running: list[int]) -> None:
    drive = Driver(2, culls(yields=yields), slots=1)
    drive.train(0, 2)
    assert drive.running == running


def test_a_new_controller_starts_the_live_trials_from_their_checkpoints() -> None:
    drive = Driver(4, pbt(interval=3), slots=2)
    drive.train(0, 2)
    drive.report(1, save=False)
    drive.fail(1)
    drive.report(2, save=False)
    step = drive.resume()
    assert [event for event in step.events if isinstance(event, Restarted)] == [
        Restarted(trial=T[index], cause="resumed") for index in (0, 2, 3)
    ]
    assert step.commands == [
        start(2, incarnation=1, until=3),
        start(3, incarnation=1, until=3),
    ], "the youngest go first"
    drive.train(2, 3)
    assert drive[0].status is TrialStatus.PENDING
    step = drive.train(3, 3)
    assert step.commands[-1] == proceed(3, until=6, incarnation=1)
    step = drive.handle(drive.workers.end(T[3]))
    assert step.commands == [
        start(0, incarnation=1, checkpoint=drive[0].checkpoint, until=3, next_save=3),
    ]


def test_after_a_resume_a_trial_that_had_arrived_and_saved_stays_at_the_barrier() -> None:
    drive = Driver(3, pbt(synch=True))
    drive.train(0, 2)
    drive.train(1, 2, save=False)
    step = drive.resume()
    assert step.commands == [start(1, incarnation=1), start(2, incarnation=1)]
    drive.train(1, 2)
    step = drive.train(2, 2)
    assert kinds(step) == [Reported, Planned]
    assert len(step.events[-1].plan.decisions) == 3


def test_a_resume_repeats_no_decision() -> None:
    drive = Driver(2, pbt(donors={1: 0}))
    drive.train(0, 2)
    drive.train(1, 2)
    config = drive[1].config
    step = drive.resume()
    assert Planned not in kinds(step)
    assert step.commands[1] == start(
        1,
        incarnation=2,
        config=config,
        donor_config={"lr": 0.0},
        checkpoint=drive[0].checkpoint,
        until=4,
        next_save=3,
    )


def test_the_newest_checkpoint_is_kept_and_the_others_go() -> None:
    drive = Driver(1, pbt(interval=10), retention=Retention(num_to_keep=1))
    assert drive.report(0).commands == []
    first = drive[0].checkpoint
    step = drive.report(0)
    assert step.commands == [Delete(checkpoint=first)]
    assert step.events[-1] == Forgotten(checkpoints=(CheckpointId(f"{T[0]}/checkpoint_000001"),))
    assert [ref.number for ref in drive[0].saved] == [2]


def test_a_checkpoint_that_was_copied_is_kept_until_its_recipient_has_saved() -> None:
    drive = Driver(2, pbt(donors={1: 0}), retention=Retention(num_to_keep=1))
    drive.train(0, 2)
    donated = drive[0].checkpoint
    drive.train(1, 2)
    drive.train(0, 2)
    assert donated in drive[0].saved
    assert drive.report(1, save=False).commands == []
    step = drive.report(1, save=True)
    assert Delete(checkpoint=donated) in step.commands
    assert donated not in drive[0].saved


def test_a_checkpoint_that_is_let_go_of_at_a_barrier_goes_with_the_same_step() -> None:
    donors = {1: 0}
    drive = Driver(3, pbt(interval=1, synch=True, donors=donors), retention=Retention(num_to_keep=1))
    for index in (2, 1, 0):
        drive.report(index)
    held = drive[1].checkpoint
    drive.report(0)
    drive.report(1, save=False)
    assert held in drive[0].saved
    donors[0] = donors[1] = 2
    opening = drive.report(2)
    assert Delete(checkpoint=held) in opening.commands
    assert [ref.number for ref in drive[0].saved] == [2]


def test_a_warning_is_told_once() -> None:
    drive = Driver(2, pbt(donors={1: 0}))
    drive.train(0, 2, save=False)
    told = [drive.train(1, 2).commands[0] for _ in range(2)]
    assert [type(command) for command in told] == [Warn, Proceed]
    assert drive[1].decisions == 3


def test_a_decision_keeps_the_state_unless_it_loads() -> None:
    drive = Driver(2, pbt(donors={1: 0}))
    drive.train(0, 2)
    drive.train(1, 2)
    sources = [
        (decision.trial, type(decision.source))
        for event in drive.records
        if isinstance(event, Planned)
        for decision in event.plan.decisions
    ]
    assert sources == [(T[0], Keep), (T[1], Keep), (T[0], Keep), (T[1], Load)]


def test_under_fifo_each_trial_keeps_its_slot_to_the_end() -> None:
    drive = Driver(3, FIFOScheduler(metric="score", mode="max"), slots=1)
    assert drive.train(0, 50).commands == []
    assert drive.report(0, stop="done").commands == [start(1, until=None)]


def test_the_machine_says_who_runs_and_whether_it_is_finished() -> None:
    machine = Experiment(pbt(), Settings(slots=1))
    assert not machine.finished
    drive = Driver(2, pbt(), slots=1)
    assert drive.running == [0]
    assert not drive.experiment.finished
    assert drive.experiment.describe().startswith("PBT, asynchronous: 0 exploits")
