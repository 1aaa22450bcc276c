"""A trial logger is told of each thing that happens, once, in order, and by whom."""

from __future__ import annotations

from typing import Any

import pytest

from poptune._base.course import Curve
from poptune._base.types import TrialId, TrialStatus
from poptune._core.events import Failed, Left, Planned, Restarted, Resumed, Spawned
from poptune._core.scheduler import CheckpointRef, Decision, End, Fresh, Load, Plan, Run
from poptune.loggers import TrialLogger

A, B, C = (TrialId(f"e_{index:05d}") for index in range(3))


class Heard(TrialLogger):
    def __init__(self) -> None:
        self.said: list[Any] = []

    def on_trial(self, run, trial) -> None:
        self.said.append(("trial", trial.index))

    def on_result(self, run, trial, result) -> None:
        self.said.append(("result", trial.index, result.iteration, result.metrics["score"]))

    def on_exploit(self, run, trial, takeover) -> None:
        donors = takeover.weights_from.index, takeover.config_from.index
        self.said.append(("exploit", trial.index, *donors, takeover.iteration, takeover.goes_on_from))

    def on_config(self, run, trial, config, course) -> None:
        self.said.append(("config", trial.index, dict(config), dict(course)))

    def on_restart(self, run, trial, restart) -> None:
        self.said.append(("restart", trial.index, restart.cause, restart.iteration, list(restart.void)))

    def on_failure(self, run, trial, error) -> None:
        self.said.append(("failure", trial.index, error))

    def on_end(self, run, trial) -> None:
        self.said.append(("end", trial.index, trial.status, trial.reason))


@pytest.fixture
def heard(shown) -> Heard:
    logger = Heard()
    shown.loggers.append(logger)
    shown.show(shown.created({"lr": 0.1}, {"lr": 0.2}, {"lr": 0.3}))
    assert logger.said == [("trial", 0), ("trial", 1), ("trial", 2)]
    logger.said.clear()
    return logger


def train(shown, heard) -> None:
    """Have each trial report twice, the first time with a checkpoint."""
    for index in range(3):
        shown.show(shown.result(index, 1, checkpoint=1, score=index), shown.result(index, 2, score=index))
    heard.said.clear()


def decided(shown, **decision: Any) -> None:
    decision = {"next": Run(), "iteration": 2, **decision}
    shown.show(Planned(plan=Plan(decisions=(Decision(trial=A, **decision),))))


def saved(shown, trial: TrialId) -> CheckpointRef:
    return shown.population[trial].saved[0]


def test_results_come_in_their_order(shown, heard) -> None:
    shown.show(shown.result(1, 1, score=5), shown.result(0, 1, score=6), shown.result(1, 2, score=7))
    assert heard.said == [("result", 1, 1, 5), ("result", 0, 1, 6), ("result", 1, 2, 7)]


def test_an_exploit_names_whose_state_and_whose_config_it_is_and_comes_before_the_new_config(
    shown, heard
) -> None:
    train(shown, heard)
    decided(shown, source=Load(saved(shown, B)), donor=B, config={"lr": 0.5})
    assert heard.said == [("exploit", 0, 1, 1, 2, 1), ("config", 0, {"lr": 0.5}, {})]


@pytest.mark.parametrize(
    ("parts", "changes", "told"),
    [
        ("both", {"donor": B, "config_donor": C}, (1, 2)),
        ("weights", {"donor": B}, (1, 0)),
        ("weights", {"donor": B, "config_donor": C}, (1, 2)),
    ],
)
def test_weights_and_config_may_be_of_two_donors(shown, heard, parts, changes, told) -> None:
    train(shown, heard)
    decided(shown, source=Load(saved(shown, B), parts), **changes)
    assert heard.said == [("exploit", 0, *told, 2, 1)]


def test_a_config_alone_may_be_taken_over(shown, heard) -> None:
    train(shown, heard)
    decided(shown, config={"lr": 0.3}, config_donor=C)
    assert heard.said == [("exploit", 0, 0, 2, 2, 2), ("config", 0, {"lr": 0.3}, {})]


def test_who_goes_back_to_its_own_checkpoint_is_its_own_donor(shown, heard) -> None:
    train(shown, heard)
    decided(shown, source=Load(saved(shown, A)))
    assert heard.said == [("exploit", 0, 0, 0, 2, 1)]


def test_a_course_is_told_with_the_config_that_it_moves(shown, heard) -> None:
    train(shown, heard)
    falling = {"lr": Curve(points=((0.0, 0.1), (10.0, 0.0)))}
    decided(shown, course=falling)
    [(kind, trial, config, course)] = heard.said
    assert (kind, trial, course) == ("config", 0, falling)
    assert config == {"lr": pytest.approx(0.08)}, "it stands at age 2"


def test_who_goes_on_as_it_is_is_not_worth_a_word(shown, heard) -> None:
    decided(shown)
    assert heard.said == []


def test_a_restart_tells_which_results_are_void(shown, heard) -> None:
    train(shown, heard)
    shown.show(
        shown.result(0, 3, score=0),
        Failed(time_s=0.0, trial=A, incarnation=0, error="ouch"),
        Restarted(trial=A, cause="failure"),
    )
    assert heard.said == [("result", 0, 3, 0), ("failure", 0, "ouch"), ("restart", 0, "failure", 1, [2, 3])]
    assert [result.iteration for result in shown.run.valid_results(shown.population[A])] == [1]
    heard.said.clear()
    shown.show(shown.result(0, 2, checkpoint=2, score=0))
    shown.show(Restarted(trial=A, cause="evicted"))
    assert heard.said[-1] == ("restart", 0, "evicted", 2, [])


def test_to_begin_from_nothing_is_a_restart_that_makes_nothing_void(shown, heard) -> None:
    train(shown, heard)
    decided(shown, source=Fresh(), config={"lr": 1.0})
    assert heard.said == [("restart", 0, "fresh", 0, []), ("config", 0, {"lr": 1.0}, {})]


def test_a_damaged_checkpoint_is_no_failure(shown, heard) -> None:
    shown.show(Failed(time_s=0.0, trial=A, incarnation=0, error="torn", damaged="trial_0/checkpoint_000001"))
    assert heard.said == []


def test_trials_that_are_born_are_told_and_so_is_each_end(shown, heard) -> None:
    newcomer = shown.population.newcomer({"lr": 0.4})
    shown.show(Spawned(trials=(newcomer,)))
    decided(shown, next=End())
    shown.show(Left(trial=A, status=TrialStatus.TERMINATED, reason="enough"))
    assert heard.said == [("trial", 3), ("end", 0, TrialStatus.TERMINATED, "enough")]


def test_after_a_resume_all_trials_are_told_anew(shown, heard) -> None:
    shown.show(Resumed(time_s=1.0))
    assert heard.said == [("trial", 0), ("trial", 1), ("trial", 2)]


def test_a_method_that_raises_keeps_no_other_from_being_called(shown, heard) -> None:
    class Stumbles(Heard):
        def on_result(self, run, trial, result) -> None:
            if trial.index == 0:
                raise ValueError("not zero")
            super().on_result(run, trial, result)

    shown.loggers[:] = [Stumbles()]
    with pytest.raises(ValueError, match="not zero"):
        shown.show(shown.result(0, 1, score=5), shown.result(1, 1, score=6))
    assert shown.loggers[0].said == [("result", 1, 1, 6)]


def test_nothing_needs_to_be_overridden(shown, heard) -> None:
    shown.loggers[:] = [TrialLogger()]
    train(shown, heard)
    decided(shown, source=Load(saved(shown, B)), donor=B, config={"lr": 0.5})
    shown.show(Restarted(trial=A, cause="failure"), Resumed(time_s=1.0))
