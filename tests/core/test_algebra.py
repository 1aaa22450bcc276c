"""What plans may say beside keeping, copying and ending, each by an algorithm that needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from skeletons import (
    SKELETONS,
    Backtracking,
    Evaluators,
    Migration,
    PromotionAsha,
    Replays,
    Skeleton,
    SpawnEvaluateRetire,
)

from poptune._base.types import TrialStatus
from poptune._core.commands import Start
from poptune._core.events import Left, Planned, PopulationStopped, Reported, Resumed, Spawned, Ticked
from poptune._core.experiment import Experiment
from poptune._core.retention import Retention
from poptune._core.retries import Retries
from poptune._core.scheduler import Decision, End, Fresh, Keep, Load, Plan, Rest, Run
from poptune._core.settings import Settings
from poptune._keeping.journal import MemoryJournal
from poptune._watching.verification import Deciders, replay
from poptune.errors import SchedulerError
from poptune.testing.simulation import SimulatedWorkers, World, created

A, B, C = "sim_00000", "sim_00001", "sim_00002"


def run(
    scheduler: Any, *, trials: int = 4, slots: int = 2, iterations: int = 10, keep: int | None = 1
) -> World:
    settings = Settings(slots=slots, retention=Retention(num_to_keep=keep))
    world = World(
        Experiment(scheduler, settings),
        lambda trial, iteration, config: float(config.get("lr", 0.0)) * iteration - abs(trial.index - 1),
        iterations=iterations,
    )
    world.run(created([{"lr": index / 4} for index in range(trials)], seed=1))
    assert world.experiment.finished
    found = replay(lambda: world.events, Deciders(scheduler, settings))
    assert found.differences == []
    return world


def decisions(world: World) -> list[Decision]:
    return [one for event in world.events if isinstance(event, Planned) for one in event.plan.decisions]


@pytest.mark.parametrize("kind", SKELETONS)
def test_a_journal_of_it_written_and_read_is_the_same(kind: type[Skeleton]) -> None:
    world = run(kind())
    journal = MemoryJournal()
    journal.append(world.events)
    assert list(journal.read()) == world.events


def test_who_migrates_brings_weights_and_leaves_the_config() -> None:
    world = run(Migration(), trials=6)
    migrants = [
        one for one in decisions(world) if isinstance(one.source, Load) and one.source.parts == "weights"
    ]
    assert migrants
    assert all(one.config is None and one.donor is not None for one in migrants)
    assert any(isinstance(one.source, Load) and one.config is not None for one in decisions(world))


def test_a_pinned_state_of_long_ago_is_loaded_with_the_config_that_it_had() -> None:
    world = run(Backtracking(), keep=1)
    back = [one for one in decisions(world) if isinstance(one.source, Load)]
    assert back
    assert all(one.config is not None for one in back), "the config comes with the state"
    deleted = {checkpoint for event in world.events for checkpoint in getattr(event, "checkpoints", ())}
    assert deleted, "retention must have given up some for the pins to mean anything"


def test_trials_rest_on_their_rung_without_a_slot_and_are_promoted_when_one_is_idle() -> None:
    world = run(PromotionAsha(most=8), trials=2)
    assert any(isinstance(one.next, Rest) for one in decisions(world))
    assert {event.cause for event in world.events if isinstance(event, Planned)} >= {
        "start",
        "milestone",
        "idle",
    }
    assert "promoted" in {one.reason for one in decisions(world)}
    trials = world.experiment.population.trials
    assert len(trials) == 8
    left = [event.reason for event in world.events if isinstance(event, Left)]
    assert left.count("it rested, and nobody was left to have it called") >= 4
    assert any(trial.iteration > 4 for trial in trials)


def test_trials_are_born_from_the_best_and_others_retire() -> None:
    world = run(SpawnEvaluateRetire(), trials=2)
    born = [spec for event in world.events if isinstance(event, Spawned) for spec in event.trials]
    assert [spec.index for spec in born] == list(range(2, 2 + len(born)))
    assert len(born) >= 4
    assert "it retired" in {event.reason for event in world.events if isinstance(event, Left)}
    reports = {event.trial: event for event in reversed(world.events) if isinstance(event, Reported)}
    first = next(
        one for one in decisions(world) if one.trial in reports and one.trial in {s.id for s in born}
    )
    assert isinstance(first.source, Load)
    assert reports[first.trial].iteration == first.source.checkpoint.iteration + 1


def test_replays_begin_from_nothing_half_way_and_follow_new_configs_as_they_go() -> None:
    world = run(Replays(), trials=3)
    fresh = [one for one in decisions(world) if isinstance(one.source, Fresh)]
    anew = [one for one in fresh if world.experiment.population[one.trial].index < 3]
    assert len(fresh) > len(anew) > 0
    iterations = [
        event.iteration
        for event in world.events
        if getattr(event, "trial", "") == anew[0].trial and isinstance(event, Reported)
    ]
    assert iterations.count(1) == 1 + sum(one.trial == anew[0].trial for one in fresh)


def test_an_evaluator_is_called_from_its_rest_with_the_weights_of_one_and_the_config_of_another() -> None:
    world = run(Evaluators(), trials=6, iterations=16)
    called = [one for one in decisions(world) if one.config_donor and isinstance(one.source, Load)]
    assert any(one.donor not in {None, one.config_donor} for one in called)
    only_configs = [one for one in decisions(world) if one.config_donor and isinstance(one.source, Keep)]
    assert only_configs, "of a Load of the config alone the journal has the config, and whose it was"
    assert all(one.config is not None and one.donor is None for one in only_configs)


@dataclass(frozen=True, kw_only=True)
class Scripted(Skeleton):
    """Answers milestones with what it was given, else has everybody train on for two iterations."""

    answer: Any = None
    idle: bool = False

    def decide(self, state: None, population: Any, ready: Any, random: Any) -> Plan:
        if ready.cause != "start" and (plan := self.answer(population, ready)) is not None:
            return plan
        return self.plan_of([self.go_on(population[trial]) for trial in ready.trials])


class Table:
    """An experiment whose trials report when they are told to."""

    def __init__(self, scheduler: Any, *, trials: int = 2, slots: int = 2, **settings: Any) -> None:
        self.settings = Settings(slots=slots, **settings)
        self.scheduler = scheduler
        self.experiment = Experiment(scheduler, self.settings)
        self.workers = SimulatedWorkers()
        self.events: list[Any] = []
        self.commands: list[Any] = []
        self.handle(created([{"lr": float(index)} for index in range(trials)]))

    def handle(self, event: Any) -> None:
        step = self.experiment.handle(event)
        self.events += step.events
        self.commands += step.commands
        self.workers.carry_out(step.commands)

    def report(self, trial: str, *, times: int = 1, score: float = 0.0) -> None:
        for _ in range(times):
            self.handle(self.workers.report(trial, score, save=True))

    def resume(self) -> None:
        self.workers.vanish()
        self.experiment = Experiment(self.scheduler, self.settings)
        for event in self.events:
            self.experiment.fold(event)
        self.handle(Resumed(time_s=0.0))

    def trial(self, name: str) -> Any:
        return self.experiment.population[name]


def rest(population: Any, ready: Any) -> Plan | None:
    """The first trial rests; when the second checks in next, it is called."""
    if ready.trials == (A,):
        return Plan(decisions=(Decision(trial=A, next=Rest()),))
    if ready.trials == (B,) and population[A].resting:
        calls = [Decision(trial=one, next=Run(until=population[one].age + 2)) for one in (A, B)]
        return Plan(decisions=tuple(calls))
    return None


def test_a_resting_trial_is_paused_holds_no_slot_and_goes_on_where_it_stood() -> None:
    table = Table(Scripted(answer=rest), trials=3, slots=2)
    table.report(A, times=2)
    assert table.trial(A).status is TrialStatus.PAUSED
    assert table.workers.training == [B, C], "its slot is another's"
    table.report(B, times=2)
    table.report(C)
    assert not table.trial(A).resting
    table.report(B, times=1)
    table.handle(table.workers.end(C))
    table.report(A)
    assert table.trial(A).iteration == 3


def test_a_resting_trial_rests_on_after_a_resume_and_a_death() -> None:
    table = Table(Scripted(answer=rest))
    table.report(A, times=2)
    table.resume()
    assert table.workers.training == [B]
    assert table.trial(A).resting
    assert table.trial(A).status is TrialStatus.PAUSED
    table.report(B, times=2)
    assert table.workers.training == [A, B]
    table.report(A)
    assert table.trial(A).iteration == 3


def test_a_resting_trial_that_dies_waits_for_its_call_and_for_nothing_else() -> None:
    table = Table(Scripted(answer=rest), retries=Retries(per_trial=3, pause_s=60.0))
    table.report(A, times=2)
    table.handle(table.workers.fail(A, time_s=1.0))
    table.report(B, times=2)
    assert A in table.workers.training
    table.handle(Ticked(time_s=1000.0))
    assert A in table.workers.training
    assert A in table.experiment.running, "it is not sent back into the line when a pause is over"


def test_a_trial_at_rest_blocks_no_barrier() -> None:
    def at_the_barrier(population: Any, ready: Any) -> Plan | None:
        if A not in ready.trials:
            return None
        others = [
            Decision(trial=one, next=Run(until=population[one].age + 2, barrier="all")) for one in (B, C)
        ]
        return Plan(decisions=(Decision(trial=A, next=Rest()), *others))

    table = Table(Scripted(answer=at_the_barrier, synch=True), trials=3, slots=3)
    for trial in (A, B, C):
        table.report(trial, times=2)
    for trial in (B, C):
        table.report(trial, times=2)
    assert [event.plan.decisions[0].trial for event in table.events if isinstance(event, Planned)] == [
        A,
        A,
        B,
    ]


def test_where_only_resting_trials_are_left_they_end() -> None:
    table = Table(Scripted(answer=rest))
    table.report(A, times=2)
    table.handle(table.workers.end(B))
    assert table.experiment.finished
    assert table.trial(A).reason == "it rested, and nobody was left to have it called"
    assert table.trial(A).status is TrialStatus.TERMINATED


def spawn_at_first_milestone(population: Any, ready: Any) -> Plan | None:
    if len(population.trials) > 2:
        return None
    born = population.newcomer({"lr": 9.0})
    on = [Decision(trial=one, next=Run(until=population[one].age + 2)) for one in ready.trials]
    return Plan(decisions=(*on, Decision(trial=born.id, next=Run(until=2.0))), spawn=(born,))


def test_a_trial_that_is_born_is_called_as_the_others_and_begins_from_nothing() -> None:
    table = Table(Scripted(answer=spawn_at_first_milestone), slots=3)
    table.report(A, times=2)
    born = table.trial(C)
    assert (born.index, born.spec.tag, born.config) == (2, "2", {"lr": 9.0})
    assert born.spec.checkpoints_folder == f"checkpoints/{born.spec.folder}"
    start = next(one for one in table.commands if isinstance(one, Start) and one.trial == C)
    assert start.checkpoint is None
    table.resume()
    assert C in table.workers.training


def test_a_trial_that_is_born_has_the_names_that_its_user_wants() -> None:
    from msgspec.structs import replace

    table = Table(
        Scripted(answer=spawn_at_first_milestone),
        named=lambda spec: replace(spec, name="Mine", folder="mine"),
    )
    table.report(A, times=2)
    assert (table.trial(C).spec.name, table.trial(C).spec.folder) == ("Mine", "mine")


def test_nobody_is_born_after_the_end_of_all() -> None:
    def spawn_for_ever(population: Any, ready: Any) -> Plan | None:
        if ready.cause != "idle":
            return None
        born = population.newcomer({})
        return Plan(decisions=(Decision(trial=born.id, next=Run()),), spawn=(born,))

    table = Table(Scripted(answer=spawn_for_ever, idle=True), trials=1, slots=2)
    assert len(table.experiment.population.trials) == 2
    table.handle(table.workers.end(A))
    assert len(table.experiment.population.trials) == 3
    table.handle(PopulationStopped(time_s=0.0, reason="the time is up"))
    assert table.experiment.finished
    assert len(table.experiment.population.trials) == 3


def test_a_scheduler_is_asked_for_idle_slots_only_if_it_wants_to_be() -> None:
    asked = []

    def note(population: Any, ready: Any) -> None:
        asked.append(ready.cause)

    table = Table(Scripted(answer=note), trials=1, slots=2)
    table.report(A, times=2)
    assert asked == ["milestone"]


def test_an_empty_answer_to_an_idle_slot_is_no_record() -> None:
    table = Table(
        Scripted(
            answer=lambda population, ready: Plan(decisions=()) if ready.cause == "idle" else None, idle=True
        ),
        trials=1,
        slots=2,
    )
    table.report(A)
    assert sum(isinstance(event, Planned) for event in table.events) == 1


def test_the_whole_of_a_checkpoint_brings_the_config_that_it_was_saved_with() -> None:
    def back(population: Any, ready: Any) -> Plan | None:
        (trial,) = ready.trials
        age = population[trial].age
        if age == 2:
            return Plan(decisions=(Decision(trial=trial, next=Run(until=4.0), config={"lr": 7.0}),))
        first = population[trial].saved[0]
        return Plan(decisions=(Decision(trial=trial, next=Run(until=9.0), source=Load(first)),))

    table = Table(Scripted(answer=back), trials=1)
    table.report(A, times=4)
    assert table.trial(A).iteration == 1
    assert table.trial(A).config == {"lr": 0.0}
    assert table.workers.trials[A].config == {"lr": 0.0}


def on(trial: str, **what: Any) -> Plan:
    return Plan(decisions=(Decision(trial=trial, next=Run()),), **what)


@pytest.mark.parametrize(
    ("plan", "rule"),
    [
        (lambda p: on(A, retire=("sim_00009",)), "there is no trial 'sim_00009'"),
        (lambda p: on(A, retire=(B, B)), "'sim_00001' is to retire, so nothing else"),
        (
            lambda p: Plan(decisions=(Decision(trial=A, next=Run()),), retire=(A,)),
            "is to retire, so nothing else",
        ),
        (lambda p: Plan(decisions=(Decision(trial=A, next=Run()),), spawn=(p[A].spec,)), "cannot be born"),
        (
            lambda p: Plan(decisions=(Decision(trial=A, next=Run()),), spawn=(p.newcomer({}),)),
            "answered once",
        ),
        (
            lambda p: Plan(
                decisions=(Decision(trial=A, next=Run()), Decision(trial=C, next=Rest())),
                spawn=(p.newcomer({}),),
            ),
            "'sim_00002' is born, so it must run first",
        ),
        (
            lambda p: Plan(decisions=(Decision(trial=A, next=Run()), Decision(trial=B, next=End()))),
            "each ready trial must be answered once",
        ),
        (
            lambda p: Plan(decisions=(Decision(trial=A, next=Run(until=0.0), source=Fresh()),)),
            "stands at 0, so it cannot train until 0",
        ),
        (
            lambda p: Plan(decisions=(Decision(trial=A, next=Run(), config_donor="x"),)),
            "there is no trial 'x'",
        ),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_told_by_its_rule(plan: Any, rule: str) -> None:
    def answer(population: Any, ready: Any) -> Any:
        return plan(population) if ready.trials == (A,) else None

    table = Table(Scripted(answer=answer))
    with pytest.raises(SchedulerError, match=f"Scripted cannot be carried out: .*{rule}"):
        table.report(A, times=2)
