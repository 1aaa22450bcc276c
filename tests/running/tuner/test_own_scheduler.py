"""A scheduler of the user's own, which has what the protocol asks for and no more."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import pytest
from climbers import climb

import poptune as tune
from poptune._core.scheduler import Decision, End, Needs, Plan, Run, Scheduler


@dataclass(frozen=True)
class Halving(Scheduler[int]):
    """Ends the worse half of all trials at 2, and lets the others train on."""

    metric: str | None = None
    mode: str | None = None

    @property
    def needs(self) -> Needs:
        return Needs(metric=self.metric, mode=self.mode)

    def for_metric(self, metric, mode) -> Self:
        return replace(self, metric=self.metric or metric, mode=self.mode or mode)

    def init(self, trials) -> int:
        return 0

    def fold(self, state, event, population) -> int:
        return state + 1

    def decide(self, state, population, ready, random) -> Plan:
        if ready.cause == "start":
            first = Run(until=2.0, barrier="half")
            return Plan(decisions=tuple(Decision(trial=trial, next=first) for trial in ready.trials))
        ranked = sorted(ready.trials, key=lambda trial: population[trial].score)
        worse = ranked[: len(ranked) // 2]
        return Plan(
            decisions=tuple(
                Decision(trial=one, next=End() if one in worse else Run(), reason="half") for one in ranked
            )
        )

    def describe(self, state, population) -> str:
        return f"{state} things have happened"


def tuner(path: Path, scheduler) -> tune.Tuner:
    return tune.Tuner(
        climb,
        param_space={"lr": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(metric="height", mode="max", num_samples=4, seed=0, scheduler=scheduler),
        run_config=tune.RunConfig(
            name="run", storage_path=path, executor="inline", verbose=0, stop={"training_iteration": 4}
        ),
    )


def test_it_decides_is_stored_and_continued_and_its_plans_are_believed(tmp_path):
    results = tuner(tmp_path, Halving()).fit()
    assert sorted(result.metrics["training_iteration"] for result in results) == [2, 2, 4, 4]
    further = tune.Tuner.restore(tmp_path / "run", stop={"training_iteration": 6}).fit()
    assert sorted(result.metrics["training_iteration"] for result in further) == [2, 2, 6, 6]
    verdict = tune.verify(tmp_path / "run")
    assert verdict.ok
    assert not list((tmp_path / "run").glob("pbt_*.txt"))


class Lookalike:
    """Has the abstract methods, but not those that have a default."""

    needs = Needs()
    for_metric = init = fold = decide = describe = lambda self, *_: None


@pytest.mark.parametrize("scheduler", [Lookalike(), Halving, "pbt", 3])
def test_what_is_no_scheduler_is_refused_with_what_to_do(scheduler):
    with pytest.raises(tune.ConfigurationError, match=r"subclass of poptune\.extending\.Scheduler"):
        tune.TuneConfig(scheduler=scheduler)


def test_a_scheduler_that_lacks_something_cannot_be_made():
    class Undecided(Halving):
        decide = Scheduler.decide

    with pytest.raises(TypeError, match="abstract.*decide"):
        Undecided()
