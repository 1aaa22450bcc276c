"""Which plans can be carried out, and what is said of those that cannot."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from poptune._base.course import Curve
from poptune._base.types import TrialStatus
from poptune._core.events import Forgotten, Left, Planned, Reported
from poptune._core.population import Population
from poptune._core.scheduler import CheckpointRef, Decision, End, Load, Plan, Ready, Run
from poptune._core.soundness import problem
from poptune.testing.simulation import created

A, B, C = "sim_00000", "sim_00001", "sim_00002"


@pytest.fixture
def population() -> Population:
    """Two live trials at 2, the first with its checkpoints 1 and 2, and one that has ended."""
    population = Population()
    for event in [
        created([{}, {}, {}]),
        reported(A, 1, checkpoint=1),
        reported(A, 2, checkpoint=2),
        reported(B, 2),
        Left(trial=C, status=TrialStatus.TERMINATED, reason="enough"),
    ]:
        population.apply(event)
    return population


def reported(trial: str, iteration: int, checkpoint: int | None = None) -> Reported:
    return Reported(
        time_s=0.0,
        trial=trial,
        incarnation=0,
        iteration=iteration,
        metrics={"training_iteration": iteration, "score": 0.0},
        checkpoint=checkpoint,
    )


def decision(trial: str = B, **what: Any) -> Decision:
    return Decision(**{"trial": trial, "next": Run(until=3.0), **what})


def plan(*decisions: Decision) -> Plan:
    return Plan(decisions=decisions)


def newest(population: Population) -> CheckpointRef:
    return population[A].saved[-1]


def test_a_plan_may_keep_load_and_end(population: Population) -> None:
    ready = Ready(cause="milestone", trials=(A, B))
    load = Load(newest(population))
    assert problem(plan(decision(A, next=End()), decision(B, source=load, donor=A)), population, ready) == ""
    historical = Load(population[A].saved[0])
    assert problem(plan(decision(A, next=Run()), decision(source=historical)), population, ready) == ""


@pytest.mark.parametrize("answered", [(), (A,), (A, A, B), (A, B, C), (A, A)])
def test_each_ready_trial_is_answered_once(population: Population, answered: tuple[str, ...]) -> None:
    ready = Ready(cause="milestone", trials=(A, B))
    found = problem(plan(*map(decision, answered)), population, ready)
    assert found.startswith("each ready trial must be answered once: ready are ['sim_00000', 'sim_00001']")


def test_a_journal_that_answers_one_twice_is_unsound_though_nobody_knows_who_was_ready(
    population: Population,
) -> None:
    assert "answered once" in problem(plan(decision(A), decision(A)), population)
    assert problem(plan(decision(A)), population) == ""


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ({"trial": "sim_00009"}, "there is no trial 'sim_00009'"),
        ({"donor": "sim_00009"}, "there is no trial 'sim_00009'"),
        ({"trial": C}, "trial 'sim_00002' has ended"),
        ({"next": Run(until=2.0)}, "trial 'sim_00001' stands at 2, so it cannot train until 2"),
        ({"next": Run(until=float("nan"))}, "cannot train until nan"),
        ({"next": Run(barrier="all")}, "would never come to the barrier 'all': it must have an until"),
    ],
)
def test_what_cannot_be_carried_out_is_named_with_its_trial(
    population: Population, what: dict[str, Any], words: str
) -> None:
    assert words in problem(plan(decision(**what)), population)


def test_only_a_checkpoint_that_is_kept_can_be_loaded(population: Population) -> None:
    kept = newest(population)
    for changed in (
        {"trial": "sim_00009"},
        {"id": f"{A}/checkpoint_000003"},
        {"path": "elsewhere/checkpoint_000002"},
        {"trial": B},
    ):
        made_up = Load(replace(kept, **changed))
        assert "not among those that are kept" in problem(plan(decision(source=made_up)), population)
    population.apply(Forgotten(checkpoints=(kept.id,)))
    assert f"checkpoint '{kept.id}'" in problem(plan(decision(source=Load(kept))), population)


def test_what_lies_ahead_is_reckoned_from_the_state_that_is_loaded(population: Population) -> None:
    first = Load(population[A].saved[0])
    assert problem(plan(decision(source=first, next=Run(until=2.0))), population) == ""
    assert "stands at 1, so" in problem(plan(decision(source=first, next=Run(until=1.0))), population)


def test_what_is_pinned_must_be_kept_and_what_is_unpinned_must_be_pinned(population: Population) -> None:
    name = newest(population).id
    assert problem(Plan(decisions=(), pin=(name,)), population) == ""
    assert "is to be pinned, but is not" in problem(Plan(decisions=(), pin=("x/checkpoint_1",)), population)
    assert "was not pinned" in problem(Plan(decisions=(), unpin=(name,)), population)
    population.apply(Planned(plan=Plan(decisions=(), pin=(name,))))
    assert problem(Plan(decisions=(), unpin=(name,)), population) == ""


def test_a_course_must_fit_the_config_that_comes_with_the_state_not_the_one_of_before() -> None:
    population = Population()
    for event in [created([{}, {"lr": 1.0}]), reported(A, 1, checkpoint=1)]:
        population.apply(event)
    course = {"lr": Curve(points=((0, 1.0), (9, 0.5)))}
    ready = Ready(cause="milestone", trials=(B,))
    load = Load(newest(population))
    found = problem(plan(decision(source=load, course=course)), population, ready)
    assert "the config must have a number at 'lr'" in found
    assert problem(plan(decision(course=course)), population, ready) == ""
    weights = replace(load, parts="weights")
    assert problem(plan(decision(source=weights, course=course)), population, ready) == ""
    assert "number at 'lr'" in problem(plan(decision(course=course, config={})), population, ready)
