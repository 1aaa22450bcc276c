"""A journal that is as it was written follows from itself, and each change to it is found."""

import random

import pytest
from msgspec.structs import replace

from poptune._base.types import TrialId, TrialStatus
from poptune._core.events import (
    Completed,
    Failed,
    Forgotten,
    Left,
    Planned,
    Reported,
    ResidentsLimited,
    Restarted,
    Resumed,
    SlotsChanged,
    Ticked,
)
from poptune._core.experiment import Experiment
from poptune._core.retention import Retention
from poptune._core.retries import Retries
from poptune._core.scheduler import Load
from poptune._core.settings import Settings
from poptune._keeping.journal import MemoryJournal
from poptune._watching.verification import Deciders, replay
from poptune.schedulers import (
    ASHAScheduler,
    Explored,
    Explorer,
    FIFOScheduler,
    KeepOwn,
    MedianStoppingRule,
    Perturb,
    PopulationBasedTraining,
)
from poptune.search_space import choice, uniform
from poptune.testing.simulation import SimulatedWorkers, created

SETTINGS = Settings(
    slots=2, max_residents=3, retries=Retries(per_trial=1), retention=Retention(num_to_keep=2)
)


class Adam:
    """A config value that is no JSON."""


def pbt(*, kind=PopulationBasedTraining, **overrides):
    arguments = {
        "time_attr": "training_iteration",
        "metric": "score",
        "mode": "max",
        "perturbation_interval": 2,
        "hyperparam_mutations": {"lr": uniform(0, 1), "batch": [16, 32], "net": choice([Adam])},
    }
    return kind(**{**arguments, **overrides})


def history(scheduler, settings=SETTINGS, *, rounds=40, seed=0):
    """The events of an experiment in which much goes wrong."""
    chance = random.Random(seed)
    experiment, workers, events = Experiment(scheduler, settings), SimulatedWorkers(), []

    def handle(event):
        step = experiment.handle(event)
        events.extend(step.events)
        workers.carry_out(step.commands)

    handle(created([{} for _ in range(5)], seed=seed))
    for number in range(rounds):
        if experiment.finished:
            break
        if experiment.wakes_at_s is not None and (number % 5 == 0 or not workers.training):
            handle(Ticked(time_s=experiment.wakes_at_s))
        trial = chance.choice(workers.training)
        if number % 13 == 12:
            incarnation = experiment.population[trial].incarnation
            handle(replace(workers.fail(trial), incarnation=incarnation))
        elif number == 20:
            workers.vanish()
            experiment = Experiment(scheduler, settings)
            for event in events:
                experiment.fold(event)
            handle(Resumed(time_s=1.0))
        elif number == 30:
            handle(ResidentsLimited(time_s=2.0, limit=2))
        else:
            handle(workers.report(trial, chance.choice([chance.random(), float("nan")]), save=True))
    return kept(events)


def kept(events):
    """The events as a journal gives them back."""
    journal = MemoryJournal()
    journal.append(events)
    return list(journal.read())


@pytest.mark.parametrize(
    "scheduler",
    [
        pbt(),
        pbt(synch=True),
        pbt(selector=KeepOwn(), explorer=Perturb(mutations={"lr": uniform(0, 1)})),
        FIFOScheduler(),
        ASHAScheduler(time_attr="training_iteration", metric="score", mode="max", grace_period=2, max_t=8),
        MedianStoppingRule(time_attr="training_iteration", metric="score", mode="max", grace_period=2),
    ],
    ids=lambda scheduler: type(scheduler).__name__,
)
def test_what_was_journaled_follows_from_what_was_told(scheduler):
    events = history(scheduler)
    found = replay(lambda: events, Deciders(scheduler, SETTINGS))
    assert [str(difference) for difference in found.differences] == []
    assert found.events == len(events)
    assert found.decisions == sum(len(event.plan.decisions) for event in events if isinstance(event, Planned))
    assert found.decisions_folded == found.configs_folded == 0


@pytest.mark.parametrize("synch", [True, False])
def test_rests_and_rebirths_follow_too(synch):
    seen = set()
    for retries in (Retries(per_trial=0, rebirth=True), Retries(per_trial=2, pause_s=3.0)):
        settings = Settings(slots=2, retries=retries)
        events = history(pbt(synch=synch), settings, rounds=80)
        seen |= {type(event) for event in events}
        assert replay(lambda events=events: events, Deciders(pbt(synch=synch), settings)).differences == []
    assert Ticked in seen


def test_a_session_may_have_had_any_slots_and_any_memory():
    events = history(pbt())
    assert any(isinstance(event, Restarted) and event.cause == "evicted" for event in events)
    for slots in (1, 4, 16):
        settings = Settings(slots=slots, retries=Retries(per_trial=1), retention=Retention(num_to_keep=2))
        assert replay(lambda: events, Deciders(pbt(), settings)).differences == []


def test_memory_that_ran_low_when_fewer_slots_were_there_evicts_whom_the_journal_names():
    scheduler = pbt(synch=True, perturbation_interval=1)
    settings = Settings(slots=2, retries=Retries(per_trial=0))
    experiment, workers, events = Experiment(scheduler, settings), SimulatedWorkers(), []

    def handle(event):
        step = experiment.handle(event)
        events.extend(step.events)
        workers.carry_out(step.commands)

    handle(created([{} for _ in range(3)]))
    handle(SlotsChanged(time_s=0.0, slots=1))
    handle(workers.report("sim_00000", 0.0, save=True))
    handle(ResidentsLimited(time_s=0.0, limit=2))  # it fits: with a slot for every trial it would not
    handle(workers.end("sim_00001"))
    handle(ResidentsLimited(time_s=0.0, limit=1))
    handle(workers.end("sim_00002"))
    handle(workers.report("sim_00000", 0.0, save=True))
    assert [event.trial for event in events if getattr(event, "cause", "") == "evicted"] == ["sim_00000"]
    assert replay(lambda: kept(events), Deciders(scheduler, settings)).differences == []


@pytest.fixture(scope="module")
def told():
    return tuple(history(pbt()))


def changed(events, place, event):
    return [*events[:place], event, *events[place + 1 :]]


def place_of(events, kind, suits=lambda event: True):
    return next(place for place, event in enumerate(events) if isinstance(event, kind) and suits(event))


def first_copy(events):
    """The place of the first plan that copies a donor."""
    return place_of(
        events, Planned, lambda event: any(decision.donor is not None for decision in event.plan.decisions)
    )


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("config", {"lr": 0.5, "batch": 16, "net": Adam}),
        ("reason", "it looked good"),
        ("seen", {"own": 0.0}),
        ("facts", {"more": 1}),
        ("iteration", 1),
        ("donor", None),
        ("donor_config", None),
    ],
)
def test_a_changed_part_of_a_decision_is_found_where_it_is(told, part, value):
    place = first_copy(told)
    (decision,) = told[place].plan.decisions
    other = Planned(plan=replace(told[place].plan, decisions=(replace(decision, **{part: value}),)))
    found = replay(lambda: changed(told, place, other), Deciders(pbt(), SETTINGS))
    first = found.differences[0]
    assert (first.event, first.trial, first.what) == (place + 1, decision.trial, part)
    assert f"event {place + 1}, trial {decision.trial}: {part} is " in str(first)


def test_another_donor_s_checkpoint_is_found(told):
    place = first_copy(told)
    (decision,) = told[place].plan.decisions
    checkpoint = replace(decision.source.checkpoint, iteration=1)
    other = Planned(plan=replace(told[place].plan, decisions=(replace(decision, source=Load(checkpoint)),)))
    found = replay(lambda: changed(told, place, other), Deciders(pbt(), SETTINGS))
    assert "source" in {difference.what for difference in found.differences if difference.event == place + 1}


def test_a_changed_score_changes_who_copies_whom(told):
    place = first_copy(told) - 1
    worst = replace(told[place], metrics={**told[place].metrics, "score": 2.0})
    found = replay(lambda: changed(told, place, worst), Deciders(pbt(), SETTINGS))
    assert found.differences[0].event == place + 2


def test_another_seed_is_found(told):
    found = replay(lambda: changed(told, 0, replace(told[0], seed=7)), Deciders(pbt(), SETTINGS))
    assert any(difference.what == "config" for difference in found.differences)


@pytest.mark.parametrize("kind", [Planned, Forgotten, Restarted])
def test_an_outcome_that_is_missing_is_found(told, kind):
    place = place_of(told, kind, lambda event: getattr(event, "cause", "") != "evicted")
    found = replay(lambda: [*told[:place], *told[place + 1 :]], Deciders(pbt(), SETTINGS))
    first = found.differences[0]
    assert first.what == "outcome"
    assert first.event in {place, place + 1}


@pytest.mark.parametrize(
    "extra",
    [
        Left(trial=TrialId("t_00000"), status=TrialStatus.TERMINATED, reason="why not"),
        Restarted(trial=TrialId("t_00000"), cause="failure"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_an_outcome_that_nothing_leads_to_is_found(told, extra):
    extra = replace(extra, trial=told[0].trials[0].id)
    found = replay(lambda: [*told[:6], extra, *told[6:]], Deciders(pbt(), SETTINGS))
    assert found.differences
    assert found.differences[0].event <= 7 + 1


def test_a_report_that_no_worker_can_have_made_is_found(told):
    place = place_of(told, Reported)
    for incarnation in (told[place].incarnation + 1, -1):
        odd = replace(told[place], incarnation=incarnation)
        found = replay(lambda odd=odd: changed(told, place, odd), Deciders(pbt(), SETTINGS))
        assert found.differences[0].event == place + 1


def test_a_plan_that_nobody_asked_for_is_found(told):
    plan = next(event for event in told if isinstance(event, Planned))
    found = replay(lambda: [*told, plan], Deciders(pbt(), SETTINGS))
    assert found.differences[-1].event == len(told) + 1


def test_after_a_difference_it_goes_on_from_what_the_journal_says(told):
    place = place_of(told, Failed)
    assert isinstance(told[place + 1], Restarted)
    left = Left(trial=told[place].trial, status=TrialStatus.ERROR, reason="failed")
    events = changed(told[: place + 2], place + 1, left)
    live = [trial.id for trial in told[0].trials if trial.id != left.trial]
    more = Experiment(pbt(), SETTINGS)
    for event in events:
        more.fold(event)
    events += more.handle(
        Failed(time_s=9.0, trial=live[0], incarnation=more.population[live[0]].incarnation, error="")
    ).events
    found = replay(lambda: events, Deciders(pbt(), SETTINGS))
    assert [difference.event for difference in found.differences] == [place + 2]
    assert found.events == len(events)


def test_a_replay_that_finds_no_end_of_differences_is_broken_off(told):
    events = [told[0], told[1], *(Completed(time_s=0.0), told[1]) * 100]
    found = replay(lambda: events, Deciders(pbt(), SETTINGS))
    assert 50 <= len(found.differences) <= 60


class Chance(Explorer[None]):
    """What the user's own code does is never run again."""

    def __init__(self):
        self.calls = 0
        self.random = random.Random(0)

    def draw(self):
        self.calls += 1
        return self.random.random()

    def change(self, config):
        return {**config, "lr": self.draw()}

    def explore(self, state, population, copy, draw):
        return Explored(self.change(copy.config))


@pytest.mark.parametrize("how", ["custom_explore_fn", "explore", "perturb"])
def test_configs_that_the_users_code_made_are_taken_and_the_rest_is_decided_again(how):
    chance = Chance()
    scheduler = {
        "custom_explore_fn": lambda: pbt(custom_explore_fn=chance.change),
        "explore": lambda: pbt(explorer=chance),
        "perturb": lambda: pbt(explorer=Perturb(mutations={}, custom=chance.change)),
    }[how]()
    events = history(scheduler)
    calls = chance.calls
    assert calls > 0
    found = replay(lambda: events, Deciders(scheduler, SETTINGS))
    assert chance.calls == calls
    assert found.differences == []
    assert found.configs_folded == calls
    assert found.decisions_folded == 0
    place = first_copy(events)
    (decision,) = events[place].plan.decisions
    plan = replace(events[place].plan, decisions=(replace(decision, donor=decision.trial),))
    found = replay(lambda: changed(events, place, Planned(plan=plan)), Deciders(scheduler, SETTINGS))
    assert "donor" in {difference.what for difference in found.differences}


def test_a_function_among_the_mutations_is_never_called_again():
    chance = Chance()
    scheduler = pbt(hyperparam_mutations={"nested": {"lr": chance.draw}})
    events = history(scheduler)
    calls = chance.calls
    found = replay(lambda: events, Deciders(scheduler, SETTINGS))
    assert chance.calls == calls
    assert found.differences == []
    assert found.decisions_folded == 5, "the start, where it made the values"
    assert found.configs_folded > 0


class KeepMine(KeepOwn):
    """A selector of the user's own."""


class MyPbt(PopulationBasedTraining):
    """An algorithm of the user's own."""


@pytest.mark.parametrize("make", [lambda: pbt(selector=KeepMine()), lambda: pbt(kind=MyPbt)])
def test_what_is_wholly_the_users_is_wholly_taken(make):
    scheduler = make()
    events = history(scheduler)
    found = replay(lambda: events, Deciders(scheduler, SETTINGS))
    assert found.differences == []
    assert found.decisions_folded == found.decisions > 5
