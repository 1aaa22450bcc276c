"""What is told of trials that are born while others train, and of copies without scores."""

from __future__ import annotations

from typing import Any

from skeletons import PromotionAsha, SpawnEvaluateRetire

from poptune._core.experiment import Experiment
from poptune._core.settings import Settings
from poptune._watching.progress.facts import RunFacts
from poptune._watching.progress.news import news_of
from poptune.testing.simulation import World, created

FACTS = RunFacts(
    name="run",
    path="/run",
    metric="score",
    mode="max",
    time_attr="training_iteration",
    slots=2,
    parameters=("lr",),
    stop={},
    time_budget_s=None,
)


def told(scheduler: Any, trials: int) -> list[str]:
    experiment = Experiment(scheduler, Settings(slots=2))
    world = World(experiment, lambda trial, iteration, config: config["lr"] * iteration, iterations=8)
    world.run(created([{"lr": 0.5 + index} for index in range(trials)], seed=1))
    news = news_of(world.events, experiment.population, FACTS, set())
    return [one.text for one in news if one.kind == "exploit"]


def test_a_birth_is_told_with_whom_it_is_of_and_where_it_begins() -> None:
    lines = [line for line in told(SpawnEvaluateRetire(), trials=2) if " born" in line]
    assert lines[0].startswith("it  1  2 is born of 1  lr 0.")
    assert not any("?" in line for line in lines)


def test_one_that_begins_from_nothing_is_born_of_nobody() -> None:
    lines = told(PromotionAsha(), trials=2)
    assert [line.partition("  lr")[0] for line in lines] == [
        f"it  0  {index} is born" for index in range(2, 6)
    ]
