"""All schedulers here pass the suite that others can run, too."""

from __future__ import annotations

import math
from typing import Any

import poptune as tune
from poptune._core.events import Planned, Reported
from poptune._core.schedule import Schedule
from poptune._core.scheduler import Scheduler
from poptune.schedulers import (
    ASHAScheduler,
    Choice,
    Explored,
    Explorer,
    FIFOScheduler,
    KeepOwn,
    MedianStoppingRule,
    Perturb,
    PopulationBasedTraining,
    PopulationBasedTrainingReplay,
    Selection,
    Selector,
    reborn,
)
from poptune.testing.schedulers import SchedulerConformance


def pbt(**changes: Any) -> PopulationBasedTraining:
    arguments = {
        "time_attr": "training_iteration",
        "perturbation_interval": 2,
        "hyperparam_mutations": {"lr": tune.uniform(0, 1), "net": {"width": [16, 32, 64]}},
    }
    return PopulationBasedTraining(**(arguments | changes))


class TestFifo(SchedulerConformance):
    def make_scheduler(self) -> Scheduler[Any]:
        return FIFOScheduler()


class TestAsynchronousPbt(SchedulerConformance):
    def make_scheduler(self) -> Scheduler[Any]:
        return pbt()


class TestSynchronousPbt(SchedulerConformance):
    def make_scheduler(self) -> Scheduler[Any]:
        return pbt(synch=True, quantile_fraction=0.5)


class TestPbtThatOnlyExplores(SchedulerConformance):
    def make_scheduler(self) -> Scheduler[Any]:
        return pbt(time_attr="epoch", synch=True, burn_in_period=3, selector=KeepOwn())


class Streaks(Selector[dict[str, float]]):
    """By the best score that a trial has reported since it copied: below half of the others', it copies."""

    def init(self, trials) -> dict[str, float]:
        return {}

    def fold(self, state, event, population) -> dict[str, float]:
        match event:
            case Reported(trial=trial):
                score = population[trial].score
                if score is not None and math.isfinite(score):
                    state[trial] = max(score, state.get(trial, score))
            case Planned(plan=plan):
                for decision in plan.decisions:
                    if decision.facts.get("selector", {}).get("copied"):
                        state.pop(decision.trial, None)
            case _:
                state.pop(event.trial, None)
        return state

    def select(self, state, population, ready, random) -> Selection:
        if ready.cause == "exhausted":
            return reborn(population, ready, random)
        return Selection([self.choose(trial, state, population, random) for trial in ready.trials])

    def choose(self, trial, state, population, random) -> Choice:
        live = sorted(
            (best, one)
            for one, best in state.items()
            if one != trial and population[one].status.is_live and population[one].checkpoint
        )
        better = [(best, one) for best, one in live if trial in state and best > state[trial]]
        if not better or len(better) * 2 < len(live):
            return Choice(trial=trial)
        best, donor = better[random("better", trial).integers(len(better))]
        return Choice(trial=trial, donor=donor, seen={"best": best}, facts={"copied": True})


class Averages(Explorer[int]):
    """Moves half-way to what the donor has, and a little further each time."""

    def init(self, trials) -> int:
        return 0

    def fold(self, state, event, population) -> int:
        if not isinstance(event, Planned):
            return state
        return state + sum(one.facts.get("explorer", {}).get("steps", 0) for one in event.plan.decisions)

    def explore(self, state, population, copy, draw) -> Explored:
        own, theirs = copy.recipient.config["lr"], copy.config["lr"]
        noise = draw("lr").random() / (1 + state)
        return Explored({**copy.config, "lr": (own + theirs) / 2 + noise}, facts={"steps": 1})


class TestPbtOfOtherParts(SchedulerConformance):
    def make_scheduler(self) -> Scheduler[Any]:
        return pbt(selector=Streaks(), explorer=Averages())


class TestPbtWithAPerturbOfItsOwn(SchedulerConformance):
    def make_scheduler(self) -> Scheduler[Any]:
        return pbt(explorer=Perturb(mutations={"lr": tune.loguniform(0.1, 1)}, factors=(3.0, 0.3)))

    def make_config(self, index: int) -> dict[str, Any]:
        return {"lr": 0.5 + index / 100}


class TestAsha(SchedulerConformance):
    def make_scheduler(self) -> Scheduler[Any]:
        return ASHAScheduler(max_t=9, grace_period=2, reduction_factor=2, brackets=2)


class TestMedianStopping(SchedulerConformance):
    def make_scheduler(self) -> Scheduler[Any]:
        return MedianStoppingRule(
            time_attr="training_iteration", grace_period=2, min_samples_required=2, min_time_slice=1
        )


class TestReplay(SchedulerConformance):
    def make_scheduler(self) -> Scheduler[Any]:
        return PopulationBasedTrainingReplay(Schedule([(0, {"lr": 0.1}), (2, {"lr": 0.2}), (5, {"lr": 0.3})]))
