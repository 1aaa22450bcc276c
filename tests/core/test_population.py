from __future__ import annotations

import math
from typing import Any

import pytest

from poptune._base.types import CheckpointId, TrialId, TrialStatus
from poptune._core.events import Completed, Failed, Forgotten, Left, Planned, Reported, Restarted
from poptune._core.population import Population
from poptune._core.scheduler import Decision, Load, Plan, Run
from poptune.testing.simulation import created

A, B = TrialId("sim_00000"), TrialId("sim_00001")


def population(**changes: Any) -> Population:
    born = Population()
    born.apply(created([{"lr": 1.0}, {"lr": 2.0}], **changes))
    return born


def report(trial: TrialId, iteration: int, checkpoint: int | None = None, **metrics: Any) -> Reported:
    return Reported(
        time_s=0.0,
        trial=trial,
        incarnation=0,
        iteration=iteration,
        metrics={"training_iteration": iteration, **metrics},
        checkpoint=checkpoint,
    )


def decide(trial: TrialId, **changes: Any) -> Planned:
    return Planned(plan=Plan(decisions=(Decision(trial=trial, next=Run(until=9.0), **changes),)))


@pytest.mark.parametrize(("mode", "expected"), [("max", 0.25), ("min", -0.25)])
def test_a_larger_score_is_better_whatever_the_mode(mode, expected: float) -> None:
    trials = population(mode=mode)
    trials.apply(report(A, 1, score=0.25))
    assert trials[A].score == expected


def test_a_result_without_the_metric_or_the_time_keeps_the_last_ones() -> None:
    trials = population(time_attr="epoch")
    trials.apply(report(A, 1, score=0.5, epoch=3, time_total_s=7.0))
    trials.apply(report(A, 2, score="none", epoch=math.nan))
    assert (trials[A].score, trials[A].age, trials[A].time_total_s) == (0.5, 3.0, 7.0)
    assert trials[A].iteration == 2


def test_metric_and_time_may_lie_in_dicts_among_the_metrics() -> None:
    trials = population(metric="test/accuracy", time_attr="progress/epoch")
    trials.apply(report(A, 1, test={"accuracy": 0.5}, progress={"epoch": 3}))
    assert (trials[A].score, trials[A].age) == (0.5, 3.0)


def test_without_a_metric_there_is_no_score() -> None:
    trials = population(metric=None, mode=None)
    trials.apply(report(A, 1, score=0.5))
    assert trials[A].score is None


def test_a_checkpoint_is_a_reference_to_the_result_it_was_saved_with() -> None:
    trials = population()
    trials.apply(report(A, 1, score=0.1))
    trials.apply(report(A, 2, checkpoint=1, score=0.2, time_total_s=4.0))
    trials.apply(report(A, 3, score=0.3))
    saved = trials[A].checkpoint
    assert saved is not None
    assert saved.id == f"{A}/checkpoint_000001"
    assert saved.path == "trial_00000/checkpoint_000001"
    assert (saved.iteration, saved.age, saved.score, saved.time_total_s, saved.report) == (2, 2, 0.2, 4, 2)
    assert not trials[A].is_saved
    assert trials[A].reports_kept == 2


def test_loading_takes_over_the_donors_values_and_its_generation() -> None:
    trials = population()
    trials.apply(report(A, 1, checkpoint=1, score=0.9))
    donated = trials[A].checkpoint
    trials.apply(report(B, 1, score=0.1))
    trials.apply(report(B, 2, score=0.2))
    trials.apply(decide(B, source=Load(donated), config={"lr": 5.0}, donor=A))
    copied = trials[B]
    assert (copied.iteration, copied.score, copied.config, copied.checkpoint) == (
        1,
        0.9,
        {"lr": 5.0},
        donated,
    )
    assert (copied.incarnation, copied.generation, copied.exploits, copied.donor) == (1, 1, 1, A)
    assert copied.is_saved, "what it reported before counts, and going back would lose nothing"
    trials.apply(report(A, 2, checkpoint=2, score=1.0))
    trials.apply(decide(A, source=Load(donated), donor=B))
    assert trials[A].generation == 2


def test_loading_ones_own_checkpoint_is_no_exploit() -> None:
    trials = population()
    trials.apply(report(A, 1, checkpoint=1, score=0.9))
    trials.apply(decide(A, source=Load(trials[A].checkpoint), config={"lr": 5.0}))
    assert (trials[A].exploits, trials[A].generation, trials[A].donor) == (0, 0, None)
    assert trials[A].incarnation == 1


def test_a_restart_makes_void_what_was_reported_since_the_checkpoint() -> None:
    trials = population()
    trials.apply(report(A, 1, checkpoint=1, score=0.1))
    trials.apply(report(A, 2, score=0.2))
    trials.apply(report(A, 3, score=0.3))
    trials.apply(Restarted(trial=A, cause="failure"))
    assert trials[A].superseded == [(2, 3)]
    assert (trials[A].iteration, trials[A].score) == (1, 0.1)
    trials.apply(Restarted(trial=A, cause="resumed"))
    assert trials[A].superseded == [(2, 3)], "a second restart finds nothing new to make void"
    trials.apply(report(A, 2, score=0.4))
    trials.apply(Restarted(trial=A, cause="failure"))
    assert trials[A].superseded == [(2, 3), (4, 4)]


def test_a_restart_after_a_load_keeps_what_was_reported_before_it() -> None:
    trials = population()
    trials.apply(report(A, 1, checkpoint=1, score=0.9))
    trials.apply(report(B, 1, score=0.1))
    trials.apply(decide(B, source=Load(trials[A].checkpoint), donor=A))
    trials.apply(report(B, 2, score=0.2))
    trials.apply(Restarted(trial=B, cause="failure"))
    assert trials[B].superseded == [(2, 2)]
    assert (trials[B].iteration, trials[B].score) == (1, 0.9)


def test_the_milestone_is_reached_at_its_age_and_not_before() -> None:
    trials = population()
    trials.apply(decide(A))
    trials.apply(report(A, 8))
    assert not trials[A].arrived
    trials.apply(report(A, 9))
    assert trials[A].arrived
    trials.apply(decide(A))
    assert not trials[A].arrived


def test_failures_and_departures_are_told() -> None:
    trials = population()
    trials.apply(Failed(time_s=0.0, trial=A, incarnation=0, error="boom"))
    assert (trials[A].failures, trials[A].error, trials[A].status.is_live) == (1, "boom", True)
    trials.apply(Left(trial=A, status=TrialStatus.ERROR, reason="failed"))
    assert not trials[A].status.is_live
    assert trials[A].reason == "failed"
    trials.apply(Completed(time_s=1.0))
    assert trials.completed


def test_a_forgotten_checkpoint_is_none_of_the_saved_ones() -> None:
    trials = population()
    for number in (1, 2, 3):
        trials.apply(report(A, number, checkpoint=number))
    trials.apply(report(B, 1, checkpoint=1))
    trials.apply(
        Forgotten(
            checkpoints=(
                CheckpointId(f"{A}/checkpoint_000001"),
                CheckpointId(f"{A}/checkpoint_000003"),
            )
        )
    )
    assert [ref.number for ref in trials[A].saved] == [2]
    assert [ref.number for ref in trials[B].saved] == [1]
    assert A in trials
    assert TrialId("nobody") not in trials
