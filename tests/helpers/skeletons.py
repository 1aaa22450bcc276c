"""Six published algorithms, each cut down to what it asks of the decision algebra; nothing here is tuned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from poptune._base.course import Curve
from poptune._core.population import TrialView
from poptune._core.scheduler import (
    Decision,
    End,
    Fresh,
    Load,
    Needs,
    Plan,
    PopulationView,
    Random,
    Ready,
    Rest,
    Run,
    Scheduler,
)

_INTERVAL = 2.0


@dataclass(frozen=True, kw_only=True)
class Skeleton(Scheduler[None]):
    """What they share: no state beyond the population's own."""

    metric: str = "score"
    mode: str = "max"
    interval: float = _INTERVAL
    synch: bool = False
    idle: bool = False
    spawns: bool = False

    @property
    def needs(self) -> Needs:
        return Needs(metric=self.metric, mode=self.mode, checkpoints=True, idle=self.idle, spawns=self.spawns)

    def for_metric(self, metric: str | None, mode: str | None) -> Skeleton:
        del metric, mode
        return self

    def init(self, trials: Any) -> None:
        del trials

    def fold(self, state: None, event: Any, population: PopulationView) -> None:
        del state, event, population

    def describe(self, state: None, population: PopulationView) -> str:
        del state, population
        return type(self).__name__

    def run(self, age: float) -> Run:
        return Run(until=age + self.interval, barrier="all" if self.synch else None)

    def go_on(self, trial: TrialView, **what: Any) -> Decision:
        return Decision(trial=trial.id, next=self.run(trial.age), **what)

    def plan_of(self, decisions: list[Decision], **what: Any) -> Plan:
        return Plan(decisions=tuple(decisions), **what)


def score(trial: TrialView) -> float:
    found = trial.last_score
    return -math.inf if found is None or math.isnan(found) else found


def best(trials: list[TrialView]) -> TrialView | None:
    """The best of those that can be copied."""
    able = [trial for trial in trials if trial.checkpoint is not None and math.isfinite(score(trial))]
    return max(able, key=lambda trial: (score(trial), trial.id), default=None)


def live(population: PopulationView) -> list[TrialView]:
    return [trial for trial in population.trials if trial.status.is_live]


def perturbed(trial: TrialView, random: Random, config: dict[str, Any]) -> dict[str, Any]:
    return {
        **config,
        "lr": float(config.get("lr", 0.5)) * (0.8 if random("lr", trial.id).random() < 0.5 else 1.25),
    }


@dataclass(frozen=True, kw_only=True)
class Migration(Skeleton):
    """MF-PBT: who comes from another subpopulation brings its weights only; the config stays one's own."""

    def decide(self, state: None, population: PopulationView, ready: Ready, random: Random) -> Plan:
        decisions = []
        for trial in map(population.__getitem__, ready.trials):
            interval = self.interval * (1 + trial.index % 2)
            group = [other for other in live(population) if other.index % 2 == trial.index % 2]
            donor = best(live(population))
            if (
                ready.cause != "milestone"
                or donor is None
                or donor.id == trial.id
                or score(trial) >= score(donor)
            ):
                if ready.cause == "exhausted":
                    decisions.append(Decision(trial=trial.id, next=End(), reason="it failed"))
                    continue
                decisions.append(Decision(trial=trial.id, next=Run(until=trial.age + interval)))
                continue
            assert donor.checkpoint is not None
            migrates = donor not in group
            decisions.append(
                Decision(
                    trial=trial.id,
                    next=Run(until=donor.checkpoint.age + interval),
                    source=Load(donor.checkpoint, parts="weights" if migrates else "both"),
                    config=None if migrates else perturbed(trial, random, donor.config),
                    donor=donor.id,
                )
            )
        return self.plan_of(decisions)


@dataclass(frozen=True, kw_only=True)
class Backtracking(Skeleton):
    """The best states so far are pinned; who falls behind them goes back to one, with its config."""

    elites: int = 2

    def decide(self, state: None, population: PopulationView, ready: Ready, random: Random) -> Plan:
        kept = [ref for trial in population.trials for ref in trial.saved]
        scored = [ref for ref in kept if ref.score is not None and math.isfinite(ref.score)]
        elite = sorted(scored, key=lambda ref: (ref.score or 0.0, ref.id))[-self.elites :]
        decisions = []
        for trial in map(population.__getitem__, ready.trials):
            if ready.cause == "exhausted":
                decisions.append(Decision(trial=trial.id, next=End(), reason="it failed"))
            elif ready.cause == "milestone" and elite and score(trial) < (elite[0].score or 0.0):
                ref = elite[int(random("elite", trial.id).integers(len(elite)))]
                donor = None if ref.trial == trial.id else ref.trial
                decisions.append(
                    Decision(trial=trial.id, next=self.run(ref.age), source=Load(ref), donor=donor)
                )
            else:
                decisions.append(self.go_on(trial))
        names = {ref.id for ref in elite}
        there = {ref.id for ref in kept}
        return self.plan_of(
            decisions,
            pin=tuple(sorted(names - population.pinned)),
            unpin=tuple(sorted(name for name in population.pinned if name not in names or name not in there)),
        )


@dataclass(frozen=True, kw_only=True)
class PromotionAsha(Skeleton):
    """Trials rest on their rung until a slot is free and they are among its best; else a new one is born."""

    idle: bool = True
    spawns: bool = True
    most: int = 6

    def decide(self, state: None, population: PopulationView, ready: Ready, random: Random) -> Plan:
        if ready.cause == "idle":
            return self._promote(population, random)
        if ready.cause == "start":
            return self.plan_of([self.go_on(population[trial]) for trial in ready.trials])
        return self.plan_of(
            [
                Decision(trial=trial, next=Rest() if ready.cause == "milestone" else End(), reason="rung")
                for trial in ready.trials
            ]
        )

    def _promote(self, population: PopulationView, random: Random) -> Plan:
        resting = [trial for trial in live(population) if trial.resting]
        for trial in sorted(resting, key=lambda one: (-one.age, one.id)):
            rung = [other for other in population.trials if other.age >= trial.age]
            above = sum(score(other) > score(trial) for other in rung)
            if len(rung) >= 2 and above < len(rung) / 2:
                return self.plan_of([self.go_on(trial, reason="promoted")])
        if len(population.trials) >= self.most:
            return self.plan_of([])
        config = {"lr": float(random("new", None).random())}
        born = population.newcomer(config)
        return self.plan_of([Decision(trial=born.id, next=self.run(0.0))], spawn=(born,))


@dataclass(frozen=True, kw_only=True)
class SpawnEvaluateRetire(Skeleton):
    """IPBT: the best bears a copy of itself with another config; where they are many, the worst retires."""

    spawns: bool = True
    most: int = 4
    in_all: int = 8

    def decide(self, state: None, population: PopulationView, ready: Ready, random: Random) -> Plan:
        if ready.cause == "exhausted":
            return self.plan_of(
                [Decision(trial=trial, next=End(), reason="failed") for trial in ready.trials]
            )
        decisions = [self.go_on(population[trial]) for trial in ready.trials]
        parent = best(live(population))
        if ready.cause == "start" or parent is None or parent.checkpoint is None:
            return self.plan_of(decisions)
        others = [trial for trial in live(population) if trial.id not in ready.trials and trial != parent]
        if len(live(population)) >= self.most and others:
            worst = min(others, key=lambda trial: (score(trial), trial.id))
            return self.plan_of(decisions, retire=(worst.id,))
        if len(population.trials) >= self.in_all:
            return self.plan_of(decisions)
        born = [population.newcomer(parent.config, number) for number in range(2)]
        decisions += [
            Decision(
                trial=spec.id,
                next=self.run(parent.checkpoint.age),
                source=Load(parent.checkpoint),
                config={**parent.config, "lr": float(random("lr", spec.id).random())},
                donor=parent.id,
            )
            for spec in born
        ]
        return self.plan_of(decisions, spawn=tuple(born))


@dataclass(frozen=True, kw_only=True)
class Replays(Skeleton):
    """Half-way, trials are born that train the best one's configs from nothing; others begin anew, too."""

    spawns: bool = True
    starts_at: float = 3.0

    def decide(self, state: None, population: PopulationView, ready: Ready, random: Random) -> Plan:
        decisions = []
        for trial in map(population.__getitem__, ready.trials):
            leader = best(live(population))
            if ready.cause == "exhausted":
                decisions.append(Decision(trial=trial.id, next=self.run(0.0), source=Fresh(), forgives=True))
            elif leader is not None and leader.id != trial.id and random("anew", trial.id).random() < 0.2:
                decisions.append(
                    Decision(trial=trial.id, next=self.run(0.0), source=Fresh(), config=dict(leader.config))
                )
            else:
                lr = float(random("course", trial.id).random())
                decisions.append(self.go_on(trial, config={**trial.config, "lr": lr}))
        leader = best(live(population))
        has_begun = any(trial.index >= 6 for trial in population.trials) or len(population.trials) > 8
        if leader is None or leader.age < self.starts_at or has_begun:
            return self.plan_of(decisions)
        born = population.newcomer(dict(leader.config))
        decisions.append(Decision(trial=born.id, next=self.run(0.0), source=Fresh()))
        return self.plan_of(decisions, spawn=(born,))


@dataclass(frozen=True, kw_only=True)
class Evaluators(Skeleton):
    """FIRE: every third trial evaluates. It rests, and is called to train on the weights of its group's best,
    with the config of the best of all; so two trials are donors at once.
    """

    def decide(self, state: None, population: PopulationView, ready: Ready, random: Random) -> Plan:
        decisions = []
        for trial in map(population.__getitem__, ready.trials):
            if ready.cause == "exhausted":
                decisions.append(Decision(trial=trial.id, next=End(), reason="it failed"))
            elif trial.index % 3 == 2 and ready.cause == "milestone":
                decisions.append(Decision(trial=trial.id, next=Rest(), reason="evaluated"))
            elif ready.cause == "milestone" and (leader := best(live(population))) and leader.id != trial.id:
                assert leader.checkpoint is not None
                only_config = Load(leader.checkpoint, parts="config")
                decisions.append(self.go_on(trial, source=only_config))
            else:
                decisions.append(self.go_on(trial))
        resting = [trial for trial in live(population) if trial.resting]
        leader, donor = best(live(population)), best([population[trial] for trial in ready.trials])
        if resting and leader is not None and donor is not None and ready.cause == "milestone":
            assert donor.checkpoint is not None
            decisions.append(
                Decision(
                    trial=resting[0].id,
                    next=Run(until=donor.checkpoint.age + self.interval),
                    source=Load(donor.checkpoint, parts="weights"),
                    config=dict(leader.config),
                    donor=None if donor.id == resting[0].id else donor.id,
                    config_donor=leader.id,
                )
            )
        return self.plan_of(decisions)


@dataclass(frozen=True, kw_only=True)
class Courses(Skeleton):
    """Learning rates move along curves, which copies inherit with the config, and others are given anew."""

    def decide(self, state: None, population: PopulationView, ready: Ready, random: Random) -> Plan:
        decisions = []
        for trial in map(population.__getitem__, ready.trials):
            leader = best(live(population))
            draw = random("course", trial.id)
            if ready.cause == "exhausted":
                decisions.append(Decision(trial=trial.id, next=End(), reason="it failed"))
            elif ready.cause == "milestone" and leader is not None and score(trial) < score(leader):
                assert leader.checkpoint is not None
                decisions.append(
                    Decision(
                        trial=trial.id,
                        next=self.run(leader.checkpoint.age),
                        source=Load(leader.checkpoint),
                        donor=leader.id,
                    )
                )
            elif draw.random() < 0.3 and "lr" in trial.config:
                decisions.append(self.go_on(trial))
            elif draw.random() < 0.3:
                decisions.append(self.go_on(trial, config={**trial.config, "lr": 0.5}))
            else:
                lr = float(trial.config.get("lr", 0.25))
                points = ((trial.age, lr), (trial.age + 3, float(draw.random()) + 0.1))
                curve = Curve(points=points, scale="log" if lr > 0 else "linear")
                config = {**trial.config, "lr": lr}
                decisions.append(self.go_on(trial, config=config, course={"lr": curve}))
        return self.plan_of(decisions)


SKELETONS = (Migration, Backtracking, PromotionAsha, SpawnEvaluateRetire, Replays, Evaluators, Courses)
