"""The suite for schedulers can fail: each of these has a fault, and the test meant for that finds it."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import Phase, settings
from msgspec.structs import replace

import poptune as tune
from poptune._core.events import (
    Completed,
    Declined,
    Event,
    PopulationStopped,
    Reported,
    Restarted,
    Resumed,
    SlotsChanged,
    Spawned,
    Ticked,
)
from poptune._core.scheduler import Decision, End, Load, Needs, Plan, Run, Scheduler
from poptune.errors import SchedulerError
from poptune.schedulers import FIFOScheduler, PopulationBasedTraining
from poptune.testing.schedulers import SchedulerConformance, Story
from poptune.testing.schedulers.story import tale


@dataclass(frozen=True)
class Checks(FIFOScheduler):
    """Has each trial check in after every iteration, and count in the state what it has seen. Sound."""

    def init(self, trials) -> Any:
        return Counter()

    def fold(self, state, event, population) -> Any:
        state[type(event).__name__] += 1
        return state

    def decide(self, state, population, ready, random) -> Plan:
        return Plan(decisions=tuple(self.further(population[one], state, random) for one in ready.trials))

    def further(self, trial, state, random) -> Decision:
        return Decision(trial=trial.id, next=Run(until=trial.age + 1), reason=f"after {state['Planned']}")

    def describe(self, state, population) -> str:
        return f"{dict(state)}"


class AnswersTheFirst(Checks):
    def decide(self, state, population, ready, random) -> Plan:
        return super().decide(state, population, replace(ready, trials=ready.trials[:1]), random)


class GoesNowhere(Checks):
    def further(self, trial, state, random) -> Decision:
        return Decision(trial=trial.id, next=Run(until=float(min(trial.age + 1, 3))))


class GoesBackToWhatIsGone(Checks):
    """What it keeps in its state may have been given up since."""

    def fold(self, state, event, population) -> Any:
        if isinstance(event, Reported) and population[event.trial].saved:
            state.setdefault(event.trial, population[event.trial].saved[0])
        return state

    def further(self, trial, state, random) -> Decision:
        if trial.age < 3 or (first := state.get(trial.id)) is None:
            return Decision(trial=trial.id, next=Run(until=trial.age + 1))
        return Decision(trial=trial.id, source=Load(first), next=Run(until=first.age + 1))

    def describe(self, state, population) -> str:
        return "goes back"


_decided = itertools.count()


class CountsForItself(Checks):
    def further(self, trial, state, random) -> Decision:
        return replace(super().further(trial, state, random), reason=f"the {next(_decided)}th")


class LearnsWhileItDecides(Checks):
    def decide(self, state, population, ready, random) -> Plan:
        state["decided"] += 1
        return super().decide(state, population, ready, random)


class DecidesByWhatItHasLearnt(Checks):
    """Its line tells nothing of it, but what it decides hangs on what no journal has."""

    def decide(self, state, population, ready, random) -> Plan:
        state["decided"] += 1
        plan = super().decide(state, population, ready, random)
        return replace(plan, decisions=tuple(replace(d, facts=dict(state)) for d in plan.decisions))

    def describe(self, state, population) -> str:
        return "says nothing"


@dataclass(frozen=True)
class RemembersInItself(Checks):
    seen: list[Any] = field(default_factory=list)

    def fold(self, state, event, population) -> Any:
        if isinstance(event, Reported):
            self.seen.append(event)
        return state

    def further(self, trial, state, random) -> Decision:
        return replace(super().further(trial, state, random), reason=f"{len(self.seen)} results")


class SeesWhoRuns(Checks):
    """Who is held in memory is no part of the journal: after a restart nobody is."""

    def further(self, trial, state, random) -> Decision:
        return replace(super().further(trial, state, random), reason=trial.status.name)


class Meddles(Checks):
    def further(self, trial, state, random) -> Decision:
        trial.config["lr"] = 0.1
        return super().further(trial, state, random)


@dataclass(frozen=True)
class Meets(Checks):
    """Has all trials meet after each iteration."""

    def further(self, trial, state, random) -> Decision:
        return Decision(trial=trial.id, next=Run(until=trial.age + 1, barrier="all"))


class PrefersTheFirst(Meets):
    def decide(self, state, population, ready, random) -> Plan:
        plan = super().decide(state, population, ready, random)
        first, *others = plan.decisions
        return Plan(decisions=(replace(first, reason="came first"), *others))


class PrefersTheOldest(Meets):
    """The order of those that are ready is all the same to it, but not which number a trial has."""

    def further(self, trial, state, random) -> Decision:
        return Decision(trial=trial.id, next=Run(until=trial.age + (2 if trial.index == 0 else 1)))


class BelievesEveryScore(Checks):
    def fold(self, state, event, population) -> Any:
        if isinstance(event, Reported) and "score" in event.metrics:
            state["sum"] += 0 * round(float(event.metrics["score"]))
        return state


class NeedsACheckpoint(Checks):
    def further(self, trial, state, random) -> Decision:
        saved = trial.checkpoint.number if trial.age else 0
        return replace(super().further(trial, state, random), facts={"saved": saved})


class Talks(Checks):
    def describe(self, state, population) -> str:
        return "\n".join(map(str, state.items()))


class DrawsFromTheWorld(Checks):
    def further(self, trial, state, random) -> Decision:
        lr = float(np.random.default_rng().random())
        return replace(super().further(trial, state, random), config={"lr": lr})


class DrawsForNothing(Checks):
    def further(self, trial, state, random) -> Decision:
        random("lr", trial.id).random()
        return super().further(trial, state, random)


class DrawsTheSameTwice(Checks):
    def further(self, trial, state, random) -> Decision:
        config = {key: float(random("value", trial.id).random()) for key in ("lr", "momentum")}
        return replace(super().further(trial, state, random), config=config)


class DrawsForOthers(Checks):
    def decide(self, state, population, ready, random) -> Plan:
        drawn = [(random("rank", trial.id).random(), trial.id) for trial in population.trials]
        plan = super().decide(state, population, ready, random)
        return replace(plan, decisions=tuple(replace(d, reason=f"{min(drawn)}") for d in plan.decisions))


class DrawsUntilItIsContent(Meets):
    """How much is drawn for the second hangs on what was drawn for the first."""

    def decide(self, state, population, ready, random) -> Plan:
        lucky = bool(random("luck", min(ready.trials)).random() < 0.5)
        if lucky and len(ready.trials) > 1:
            random("more", max(ready.trials)).random()
        return super().decide(state, population, ready, random)


_asked = itertools.count()


class NeedsMoreAndMore(Checks):
    @property
    def needs(self) -> Needs:
        return replace(super().needs, hyperparameters=(f"h{next(_asked)}",))


class KnowsItsMetric(Checks):
    def for_metric(self, metric, mode) -> Any:
        return self


class TakesAnyMetric(Checks):
    def for_metric(self, metric, mode) -> Any:
        return TakesAnyMetric(metric=metric or self.metric, mode=mode or self.mode)


class ForgetsItsMetric(Checks):
    def for_metric(self, metric, mode) -> Any:
        return ForgetsItsMetric(metric=metric, mode=mode)


@dataclass(frozen=True)
class HoldsALock(Checks):
    lock: Any = field(default_factory=threading.Lock)


class AlwaysDoubts(Checks):
    def doubts(self, ends, *, time_budget_s=None) -> list[str]:
        return ["are you sure?"]


BROKEN: list[tuple[type[Scheduler[Any]], str]] = [
    (AnswersTheFirst, "whatever_happens_its_plans_can_be_carried_out"),
    (GoesNowhere, "whatever_happens_its_plans_can_be_carried_out"),
    (GoesBackToWhatIsGone, "whatever_happens_its_plans_can_be_carried_out"),
    (LearnsWhileItDecides, "a_fold_of_the_journal_stands_where_the_live_state_stands"),
    (DecidesByWhatItHasLearnt, "a_fold_of_the_journal_decides_as_the_live_state_does"),
    (SeesWhoRuns, "a_fold_of_the_journal_decides_as_the_live_state_does"),
    (CountsForItself, "deciding_changes_nothing"),
    (LearnsWhileItDecides, "deciding_changes_nothing"),
    (Meddles, "it_changes_nothing_of_the_population"),
    (PrefersTheFirst, "the_order_of_those_that_are_ready_does_not_matter"),
    (BelievesEveryScore, "no_value_of_the_metric_breaks_it"),
    (NeedsACheckpoint, "that_nobody_saves_breaks_nothing"),
    (RemembersInItself, "one_object_decides_for_two_experiments_as_for_one"),
    (Talks, "it_says_in_one_line_where_it_stands"),
    (DrawsFromTheWorld, "the_same_seed_gives_the_same_plans"),
    (DrawsForNothing, "if_it_draws_at_all_another_seed_gives_other_plans"),
    (DrawsTheSameTwice, "each_draw_has_a_name_of_its_own_in_each_plan"),
    (DrawsForOthers, "each_draw_is_about_a_trial_that_is_decided"),
    (DrawsUntilItIsContent, "what_is_drawn_for_a_trial_does_not_depend_on_what_others_draw"),
    (PrefersTheOldest, "permuting_the_trials_permutes_the_plans"),
    (NeedsMoreAndMore, "its_needs_are_always_the_same"),
    (KnowsItsMetric, "metric_and_mode_come_from_the_tune_config"),
    (ForgetsItsMetric, "what_it_has_itself_needs_not_be_named_again"),
    (TakesAnyMetric, "another_metric_than_its_own_is_refused"),
    (HoldsALock, "what_was_pickled_decides_alike"),
    (AlwaysDoubts, "it_warns_of_nothing_without_cause"),
]


FOUND = (AssertionError, AttributeError, SchedulerError, TypeError, ValueError, pytest.fail.Exception)


def suite(kind: type[Scheduler[Any]]) -> Any:
    class Suite(SchedulerConformance):
        def make_scheduler(self) -> Scheduler[Any]:
            return kind()

    return Suite()


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), BROKEN, ids=[f"{kind.__name__}-{name}" for kind, name in BROKEN])
def test_what_is_broken_is_found_by_the_test_that_is_meant_for_it(kind, name: str, monkeypatch) -> None:
    found_as_it_is(f"test_{name}", monkeypatch)
    test = getattr(suite(kind), f"test_{name}")
    arguments = [("loss", None)] if name.startswith("another_metric") else []
    with pytest.raises(FOUND):
        test(*arguments)


def found_as_it_is(test: str, monkeypatch) -> None:
    """Have an example that fails not be made as small as can be, which takes long and proves nothing here."""
    function = getattr(SchedulerConformance, test)
    if (used := getattr(function, SETTINGS, None)) is not None:
        monkeypatch.setattr(function, SETTINGS, settings(used, phases=[Phase.explicit, Phase.generate]))


SETTINGS = "_hypothesis_internal_use_settings"


def test_every_test_of_the_suite_is_shown_to_find_something() -> None:
    tests = {name.removeprefix("test_") for name in dir(SchedulerConformance) if name.startswith("test_")}
    assert tests == {name for _, name in BROKEN}


class TestWhatIsSound(SchedulerConformance):
    def make_scheduler(self) -> Scheduler[Any]:
        return Checks()


class TestWhatIsSoundAtABarrier(SchedulerConformance):
    def make_scheduler(self) -> Scheduler[Any]:
        return Meets()


def test_stories_reach_what_a_scheduler_may_have_to_do_with() -> None:
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=2,
        hyperparam_mutations={"lr": tune.uniform(0, 1)},
        metric="score",
        mode="max",
    )
    decisions, events = [], []
    for seed in range(30):
        story = Story(scheduler, [{}, {}, {}], slots=2)
        story.unfold(tale(seed, 40))
        events += story.events
        decisions += [decision for plan in story.plans for decision in plan.decisions]
    assert sum(decision.donor is not None for decision in decisions) > 20
    assert any(decision.forgives for decision in decisions)
    assert any(isinstance(decision.next, End) for decision in decisions)
    causes = {event.cause for event in events if isinstance(event, Restarted)}
    assert causes >= {"failure", "resumed", "evicted", "damaged"}
    assert any(isinstance(event, Resumed) and event.revived for event in events)
    assert {type(event) for event in events} == set(get_args(Event)) - UNTOLD


UNTOLD = {Declined, PopulationStopped, SlotsChanged, Spawned, Ticked, Completed}
"""What no scheduler can see the least of; and births, which a scheduler must want first."""
