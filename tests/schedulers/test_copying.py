"""What Population Based Training makes of what its two parts say, also where they are somebody else's."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import pytest

import poptune as tune
from poptune._base.types import Config, TrialId
from poptune._core.events import Planned, Reported
from poptune._core.experiment import Experiment
from poptune._core.retention import Retention
from poptune._core.scheduler import CheckpointRef, Decision, Keep, Load, Run
from poptune._core.settings import Settings
from poptune.errors import ConfigurationError, SchedulerError
from poptune.schedulers import (
    Choice,
    Copy,
    Explored,
    Explorer,
    KeepOwn,
    PopulationBasedTraining,
    Selection,
    Selector,
)
from poptune.testing.simulation import World, created

T = [TrialId(f"sim_{index:05d}") for index in range(4)]


def pbt(**changes: Any) -> PopulationBasedTraining:
    arguments = {
        "time_attr": "training_iteration",
        "metric": "score",
        "mode": "max",
        "perturbation_interval": 2,
        "hyperparam_mutations": {"lr": tune.uniform(0, 1)},
        "synch": True,
    }
    return PopulationBasedTraining(**(arguments | changes))


def trained(scheduler: PopulationBasedTraining, *, population: int = 3, iterations: int = 8) -> World:
    """The higher its index, the better a trial is."""
    settings = Settings(slots=population, retention=Retention(num_to_keep=1))
    world = World(
        Experiment(scheduler, settings),
        lambda trial, iteration, config: trial.index + iteration / 100,
        iterations=iterations,
    )
    world.run(created([{"lr": 0.1 * (index + 1)} for index in range(population)]))
    return world


def decisions(world: World) -> list[Decision]:
    plans = [event.plan for event in world.events if isinstance(event, Planned)]
    return [decision for plan in plans[1:] for decision in plan.decisions]


@dataclass(frozen=True)
class Chosen(Selector[None]):
    """Answers the first trial with this, and lets all others go on."""

    answer: dict[str, Any]

    def select(self, state, population, ready, random) -> Selection:
        return Selection([Choice(trial=one, **(self.answer if one == T[0] else {})) for one in ready.trials])


@pytest.mark.parametrize(
    ("answer", "reason", "kind"),
    [
        ({}, "goes on", Keep),
        ({"reason": "is good enough"}, "is good enough", Keep),
        ({"donor": T[2]}, f"copies {T[2]}", Load),
        ({"donor": T[0]}, "explores", Load),
        ({"donor": T[2], "reason": "lost"}, "lost", Load),
    ],
)
def test_a_choice_becomes_a_decision_with_its_reason(answer, reason: str, kind: type) -> None:
    first = decisions(trained(pbt(selector=Chosen(answer))))[0]
    assert (first.trial, first.reason, type(first.source)) == (T[0], reason, kind)
    assert first.donor == (T[2] if answer.get("donor") == T[2] else None)
    assert first.next == Run(until=4, barrier="perturbation")


def test_what_a_selector_has_seen_stands_beside_the_last_scores_and_before_them() -> None:
    seen = {"p": 0.01, "own": -1.0}
    first, second, *_ = decisions(trained(pbt(selector=Chosen({"donor": T[2], "seen": seen}))))
    assert first.seen == {"own": -1.0, "p": 0.01, "donor": 2.02, "checkpoint": 2.02}
    assert second.seen == {"own": 1.02}


def test_a_selector_that_forgets_a_trial_is_told_so() -> None:
    class Forgetful(Selector[None]):
        def select(self, state, population, ready, random) -> Selection:
            return Selection([Choice(trial=one) for one in ready.trials[1:]])

    with pytest.raises(SchedulerError, match="each ready trial must be answered once"):
        trained(pbt(selector=Forgetful()))


@dataclass
class Elite:
    """The best state so far, and what it was trained with."""

    checkpoint: CheckpointRef | None = None
    config: Config | None = None
    rounds: int = 0


class BackToTheBest(Selector[Elite]):
    """The first trial goes back, each time, to the best state that there was a round before."""

    def init(self, trials) -> Elite:
        return Elite()

    def fold(self, state, event, population) -> Elite:
        if isinstance(event, Planned):
            for decision in event.plan.decisions:
                if elite := decision.facts.get("selector"):
                    state.checkpoint, state.config = elite["checkpoint"], elite["config"]
                    state.rounds += 1
        return state

    def select(self, state, population, ready, random) -> Selection:
        best = max(population.trials, key=lambda trial: trial.last_score)
        unpin = () if state.checkpoint is None else (state.checkpoint.id,)
        facts = {"checkpoint": best.checkpoint, "config": best.config}
        first = Choice(
            trial=T[0],
            donor=None if state.checkpoint is None else best.id,
            checkpoint=state.checkpoint,
            trained_with=state.config,
            facts=facts,
        )
        rest = [Choice(trial=one, donor=one) for one in ready.trials if one != T[0]]
        return Selection([first, *rest], pin=(best.checkpoint.id,), unpin=unpin)


def test_a_selector_may_pin_a_state_and_name_it_long_after_with_what_it_was_trained_with() -> None:
    scheduler = pbt(selector=BackToTheBest(), explorer=NoteThem())
    world = trained(scheduler)
    back = [one for one in decisions(world) if one.trial == T[0] and isinstance(one.source, Load)]
    assert [one.source.checkpoint.iteration for one in back] == [2, 4, 6]
    assert [one.iteration for one in back] == [4, 4, 6], "it repeats what lies behind others already"
    assert back[0].donor_config == {"lr": pytest.approx(0.3)}, "not what its donor trains with by then"
    assert back[0].config == {"lr": pytest.approx(0.3), "seen": [T[0], T[2]]}
    assert world.experiment.state.selector.rounds == 4
    refolded = Experiment(scheduler, Settings(slots=3))
    for event in world.events:
        refolded.fold(event)
    assert refolded.state == world.experiment.state


class NoteThem(Explorer[int]):
    """Notes in the config who copied whom, and folds how many it has explored."""

    def init(self, trials) -> int:
        return 0

    def fold(self, state, event, population) -> int:
        if not isinstance(event, Planned):
            return state
        return state + sum(one.facts.get("explorer", {}).get("explored", 0) for one in event.plan.decisions)

    def explore(self, state, population, copy, draw) -> Explored:
        config = {**copy.config, "seen": [copy.recipient.id, copy.donor.id]}
        return Explored(config, facts={"explored": 1})


@pytest.mark.parametrize("explores", [True, False])
def test_a_trial_may_take_over_a_state_and_go_on_with_another_config_explored_or_not(explores: bool) -> None:
    mine = {"lr": 7.0}
    chosen = Chosen({"donor": T[2], "config": mine, "explores": explores})
    first = decisions(trained(pbt(selector=chosen, explorer=NoteThem())))[0]
    assert first.config == ({**mine, "seen": [T[0], T[2]]} if explores else mine)
    assert first.donor_config == {"lr": pytest.approx(0.3)}, "what the state was trained with all the same"
    assert first.facts == ({"explorer": {"explored": 1}} if explores else {})


def test_the_parts_of_an_experiment_of_before_are_found_under_their_new_names() -> None:
    scheduler = pbt(selector=KeepOwn())
    state = dict(vars(scheduler))
    before = {name: value for name, value in state.items() if name not in {"selector", "explorer"}}
    opened = PopulationBasedTraining.__new__(PopulationBasedTraining)
    opened.__setstate__({**before, "exploit": KeepOwn(), "explore": None})
    assert opened == scheduler


def test_the_states_of_both_parts_are_folded_from_what_they_have_noted() -> None:
    world = trained(pbt(selector=KeepOwn(), explorer=NoteThem()))
    assert world.experiment.state.explorer == 9
    assert {tuple(one.facts) for one in decisions(world)} == {("explorer",)}


@dataclass(frozen=True)
class Spread(Explorer[None]):
    """Sees what the others of the same plan are to train with, and takes something else."""

    asked: list[dict[TrialId, Config | None]] = field(default_factory=list)

    def explore(self, state, population, copy: Copy, draw) -> Explored:
        self.asked.append(dict(copy.together))
        taken = [config["lr"] for config in copy.together.values() if config is not None]
        return Explored({"lr": max(taken, default=0.0) + 1.0})


def test_an_explorer_sees_what_was_explored_before_in_the_same_plan_and_who_is_yet_to_be() -> None:
    spread = Spread()
    world = trained(pbt(selector=KeepOwn(), explorer=spread), iterations=3)
    assert spread.asked == [
        {T[0]: None, T[1]: None, T[2]: None},
        {T[0]: {"lr": 1.0}, T[1]: None, T[2]: None},
        {T[0]: {"lr": 1.0}, T[1]: {"lr": 2.0}, T[2]: None},
    ]
    assert [one.config for one in decisions(world)] == [{"lr": 1.0}, {"lr": 2.0}, {"lr": 3.0}]


def test_an_explorer_names_its_hyperparameters_and_is_brought_together_with_the_space() -> None:
    class Bounded(Explorer[None]):
        def __init__(self, bounds: dict[str, Any]) -> None:
            self.bounds = bounds

        @property
        def hyperparameters(self) -> dict[str, Any]:
            return self.bounds

        def for_space(self, param_space) -> Bounded:
            return Bounded({"net": self.bounds})

        def explore(self, state, population, copy, draw) -> Explored:
            return Explored(copy.config)

    scheduler = pbt(explorer=Bounded({"lr": (1, 2)}))
    assert scheduler.needs.hyperparameters == ("lr",)
    scheduler = pbt(explorer=Bounded({"wd": (1, 2)}), hyperparam_mutations={"lr": [1]})
    assert scheduler.needs.hyperparameters == ("lr", "wd")
    assert "the tuple (1, 2)" in scheduler.doubts({})[0]
    fitted = scheduler.for_space({"net": {"wd": 1}})
    assert fitted.needs.hyperparameters == ("lr", "net.wd")


@pytest.mark.parametrize("part", [KeepOwn, "best", object(), 3])
@pytest.mark.parametrize("name", ["selector", "explorer"])
def test_what_is_no_part_is_refused_with_what_it_must_be(name: str, part: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} must be an object of a subclass of poptune"):
        pbt(**{name: part})


def test_scores_that_are_not_finite_reach_a_selector_as_they_are() -> None:
    class Told(Selector[list[Any]]):
        def init(self, trials) -> list[Any]:
            return []

        def fold(self, state, event, population) -> list[Any]:
            if isinstance(event, Reported):
                state.append(population[event.trial].score)
            return state

        def select(self, state, population, ready, random) -> Selection:
            return Selection([Choice(trial=one, seen={"worst": min(state)}) for one in ready.trials])

    world = World(
        Experiment(pbt(selector=Told()), Settings(slots=2)), lambda *_: -math.inf, iterations=3, save_every=0
    )
    world.run(created([{}, {}]))
    assert {one.seen["worst"] for one in decisions(world)} == {-math.inf}
