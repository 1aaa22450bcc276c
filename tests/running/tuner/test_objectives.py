"""Several metrics: a scheduler gets them as a vector; whoever takes one only says so beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import pytest
from skeletons import Skeleton

import poptune as tune
from poptune._base.types import Objective
from poptune._core.scheduler import Decision, Load, Needs, Plan


@dataclass(frozen=True, kw_only=True)
class Dominated(Skeleton):
    """Whoever another one beats in all metrics copies that one."""

    objectives: tuple[Objective, ...] = ()
    interval: float = 2.0

    @property
    def needs(self) -> Needs:
        first = (
            {"metric": self.objectives[0].metric, "mode": self.objectives[0].mode} if self.objectives else {}
        )
        return Needs(**first, checkpoints=True, require_attrs=True)

    def for_objectives(self, objectives: Sequence[Objective]) -> Self:
        return replace(self, objectives=tuple(objectives))

    def decide(self, state: None, population: Any, ready: Any, random: Any) -> Plan:
        decisions = []
        for trial in map(population.__getitem__, ready.trials):
            SEEN.append(trial.last_scores)
            better = [one for one in population.trials if beats(one.last_scores, trial.last_scores)]
            if ready.cause == "milestone" and better and better[0].checkpoint is not None:
                ref = better[0].checkpoint
                load = Load(ref, parts="weights")
                decisions.append(
                    Decision(trial=trial.id, next=self.run(ref.age), source=load, donor=ref.trial)
                )
            else:
                decisions.append(self.go_on(trial))
        return self.plan_of(decisions)


SEEN: list[tuple[float | None, ...]] = []


def beats(one: Sequence[float | None], other: Sequence[float | None]) -> bool:
    return all(
        mine is not None and theirs is not None and mine > theirs
        for mine, theirs in zip(one, other, strict=True)
    )


def train(config):
    state = tune.StateRef(0)
    for step in tune.steps(config, state=state):
        state.value = step
        tune.report({"accuracy": config["x"], "cost": {"seconds": config["y"]}, "step": step})


POINTS = [{"x": 0.9, "y": 9.0}, {"x": 0.5, "y": 1.0}, {"x": 0.4, "y": 4.0}, {"x": 0.9, "y": 9.0}]


def fit(
    folder, scheduler, metric=("accuracy", "cost/seconds"), mode=("max", "min"), trainable=train, **run_config
):
    return tune.Tuner(
        trainable,
        param_space={"x": tune.uniform(0, 1), "y": tune.uniform(0, 10)},
        tune_config=tune.TuneConfig(
            metric=metric, mode=mode, scheduler=scheduler, num_samples=4, points_to_evaluate=POINTS
        ),
        run_config=tune.RunConfig(
            name="run",
            storage_path=folder,
            executor="inline",
            verbose=0,
            stop={"training_iteration": 4},
            **run_config,
        ),
    ).fit()


def test_a_scheduler_is_given_all_scores_so_that_larger_is_better(tmp_path):
    SEEN.clear()
    results = fit(tmp_path, Dominated(synch=True))
    assert (0.9, -9.0) in SEEN
    (exploit,) = {(each.recipient[-1], each.donor[-1]) for each in results.lineage.exploits}
    assert exploit == ("2", "1"), "only one trial is beaten in both"
    assert tune.verify(results.experiment_path).ok


def test_the_best_of_several_metrics_is_a_front(tmp_path):
    results = fit(tmp_path, tune.FIFOScheduler())
    assert [result.config["x"] for result in results.pareto_front()] == [0.9, 0.5, 0.9]
    assert results.get_best_result(metric="cost/seconds").config["x"] == 0.5, "its mode is known"
    assert results.get_best_result(metric="accuracy").config["x"] == 0.9
    with pytest.raises(tune.ConfigurationError, match=r"Which of several metrics.*results\.pareto_front\(\)"):
        results.get_best_result()
    again = tune.ResultGrid.from_path(results.experiment_path)
    assert len(again.pareto_front()) == 3
    assert "accuracy" in repr(again)


def test_the_front_of_one_metric_is_the_best(tmp_path):
    results = fit(tmp_path, tune.FIFOScheduler(), metric="accuracy", mode="max")
    assert [result.config["x"] for result in results.pareto_front()] == [0.9, 0.9]
    nothing = fit(tmp_path / "none", tune.FIFOScheduler(), metric=None, mode=None)
    with pytest.raises(tune.ConfigurationError, match="Ranking needs a metric and a mode"):
        nothing.pareto_front()


def test_one_metric_in_a_list_is_one_metric(tmp_path):
    assert tune.TuneConfig(metric=["loss"], mode="min").metric == "loss"
    results = fit(tmp_path, tune.FIFOScheduler(), metric=["accuracy"], mode=["max"])
    assert results.get_best_result().config["x"] == 0.9


@pytest.mark.parametrize(
    "scheduler",
    [
        tune.PopulationBasedTraining(hyperparam_mutations={"x": tune.uniform(0, 1)}),
        tune.ASHAScheduler(),
        tune.MedianStoppingRule(),
    ],
    ids=lambda scheduler: type(scheduler).__name__,
)
def test_who_ranks_by_one_metric_says_so_before_anything_starts(tmp_path, scheduler):
    name = type(scheduler).__name__
    with pytest.raises(
        tune.ConfigurationError, match=rf"{name} ranks trials by one metric, got \['accuracy'"
    ):
        fit(tmp_path, scheduler)


@pytest.mark.parametrize(
    ("metric", "mode", "message"),
    [
        (["a", "b"], ["max"], "Each of several metrics needs a mode"),
        (["a", "b"], None, "Each of several metrics needs a mode"),
        (["a", "b"], ["max", "up"], "Each of several metrics needs a mode"),
        (["a", "a"], "max", "a list of different ones"),
        ([], "max", "a list of different ones"),
        (["a", 3], "max", "a list of different ones"),
        (3, "max", "a list of different ones"),
        ("a", ["max", "min"], "Several modes go with as many metrics"),
    ],
)
def test_lists_that_do_not_fit_are_refused(metric, mode, message):
    with pytest.raises(tune.ConfigurationError, match=message):
        tune.TuneConfig(metric=metric, mode=mode)


def test_a_result_that_lacks_one_of_them_is_told_at_once(tmp_path):
    def lacks(config):
        for step in tune.steps(config, nothing=tune.StateRef(0)):
            tune.report({"accuracy": config["x"], "step": step})

    with pytest.raises(tune.AllTrialsFailedError, match="lacks 'cost/seconds'"):
        fit(tmp_path, Dominated(), trainable=lacks)


def test_a_restore_knows_them_still(tmp_path):
    fit(tmp_path, Dominated())
    results = tune.Tuner.restore(tmp_path / "run", stop={"training_iteration": 6}).fit()
    assert [result.metrics["training_iteration"] for result in results] == [6] * 4
    assert len(results.pareto_front()) == 3
    assert tune.verify(results.experiment_path).ok
