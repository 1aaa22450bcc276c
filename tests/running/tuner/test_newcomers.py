"""Trials that are born, rest and retire while others train are trials everywhere: files, results, resumes."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from skeletons import Evaluators, PromotionAsha, Skeleton, SpawnEvaluateRetire

import poptune as tune
from poptune._core.scheduler import Decision, Fresh, Plan, Run


def climb(config):
    step = tune.get_checkpoint().to_dict()["step"] if tune.get_checkpoint() else 0
    while True:
        step += 1
        tune.report({"score": config["lr"] * step}, checkpoint=tune.Checkpoint.from_dict({"step": step}))


class Heard(tune.Callback):
    def __init__(self):
        self.started, self.most = [], 0

    def on_trial_start(self, iteration, trials, trial, **info):
        self.started.append(trial.trial_id)
        self.most = max(self.most, len(trials))


def fit(folder, scheduler, **run_config):
    return tune.Tuner(
        climb,
        param_space={"lr": tune.uniform(0.1, 1)},
        tune_config=tune.TuneConfig(metric="score", mode="max", scheduler=scheduler, num_samples=3, seed=1),
        run_config=tune.RunConfig(
            **{
                "name": "run",
                "storage_path": folder,
                "executor": tune.InlineExecutor(slots=2),
                "verbose": 0,
                "loggers": ["csv", "json"],
                "stop": {"training_iteration": 8},
                **run_config,
            }
        ),
    ).fit()


@pytest.mark.parametrize("executor", [tune.InlineExecutor(slots=2), tune.ProcessExecutor(slots=2)])
@pytest.mark.parametrize("scheduler", [SpawnEvaluateRetire(), PromotionAsha(), Evaluators()], ids=repr)
def test_they_are_trained_shown_and_verified_as_all_others(tmp_path, scheduler, executor):
    heard = Heard()
    results = fit(tmp_path, scheduler, executor=executor, callbacks=[heard])
    assert not results.errors
    trained = [result for result in results if len(result.metrics_dataframe)]
    if scheduler.needs.spawns:
        assert len(results) > 3
        assert heard.most == len(results)
        assert len(heard.started) == len(trained) > 3
    for result in trained:
        folder = Path(result.path)
        lines = folder.joinpath("result.json").read_text().splitlines()
        with folder.joinpath("progress.csv").open() as rows:
            assert len(list(csv.DictReader(rows))) == len(lines) == len(result.metrics_dataframe)
        assert json.loads(folder.joinpath("params.json").read_text()) == result.config
    found = tune.verify(results.experiment_path)
    assert found.ok, str(found)
    again = tune.ResultGrid.from_path(results.experiment_path)
    assert [result.config for result in again] == [result.config for result in results]
    assert repr(again.lineage)
    assert len(again.get_dataframe()) == len(results)


def test_of_one_that_was_born_as_a_copy_the_lineage_begins_with_its_parent(tmp_path):
    results = fit(tmp_path, SpawnEvaluateRetire())
    copies = {exploit.recipient: exploit for exploit in results.lineage.exploits}
    born = next(result for result in results if result.trial_id in copies and len(result.metrics_dataframe))
    exploit = copies[born.trial_id]
    assert exploit.recipient_iteration == 0
    assert born.metrics_dataframe["training_iteration"].iloc[0] == exploit.donor_iteration + 1
    assert len(born.lineage.metrics_dataframe) == born.metrics["training_iteration"]
    assert born.schedule(1)["lr"] != born.config["lr"]


def test_who_has_reported_nothing_is_not_named_in_the_figure_of_curves(tmp_path):
    results = fit(tmp_path, SpawnEvaluateRetire())
    silent = [index for index, result in enumerate(results) if not len(result.metrics_dataframe)]
    assert silent
    named = [line.get_label() for line in tune.plots.curves(results).axes[0].lines]
    assert not {f"trial {index}" for index in silent} & set(named)
    assert "best lineage" in named


@dataclass(frozen=True, kw_only=True)
class Anew(Skeleton):
    """Has each trial begin from nothing, once, with another config."""

    def decide(self, state: None, population: Any, ready: Any, random: Any) -> Plan:
        decisions = []
        for trial in map(population.__getitem__, ready.trials):
            if ready.cause == "milestone" and "again" not in trial.config:
                config = {**trial.config, "again": True}
                decisions.append(Decision(trial=trial.id, next=Run(until=4.0), source=Fresh(), config=config))
            else:
                decisions.append(self.go_on(trial))
        return self.plan_of(decisions)


@pytest.mark.parametrize("executor", [tune.InlineExecutor(slots=2), tune.ProcessExecutor(slots=2)])
def test_a_trial_that_begins_anew_has_nothing_of_before(tmp_path, executor):
    results = fit(tmp_path, Anew(interval=3.0), executor=executor)
    for result in results:
        assert result.metrics["training_iteration"] == 8
        assert result.metrics["score"] == pytest.approx(result.config["lr"] * 8)
        assert list(result.metrics_dataframe["training_iteration"]) == [1, 2, 3, *range(1, 9)]
        assert len(result.lineage.metrics_dataframe) == 8
        assert result.schedule(1) == result.config
    assert tune.verify(results.experiment_path).ok


class Stops(tune.Callback):
    """Interrupts the run once a trial that was born has reported, as a Ctrl-C would."""

    def on_trial_result(self, iteration, trials, trial, result, **info):
        if len(trials) > 4 and not INTERRUPTED:
            INTERRUPTED.append(trial.trial_id)
            import os
            import signal

            os.kill(os.getpid(), signal.SIGINT)


INTERRUPTED: list[str] = []


@pytest.mark.parametrize("scheduler", [SpawnEvaluateRetire(), PromotionAsha()], ids=repr)
def test_they_go_on_after_an_interruption(tmp_path, scheduler):
    INTERRUPTED.clear()
    fit(tmp_path, scheduler, callbacks=[Stops()])
    assert INTERRUPTED
    before = {result.trial_id for result in tune.ResultGrid.from_path(tmp_path / "run")}
    results = tune.Tuner.restore(tmp_path / "run").fit()
    assert before <= {result.trial_id for result in results}
    assert not results.errors
    assert all(result.status == "TERMINATED" for result in results)
    assert tune.verify(results.experiment_path).ok
