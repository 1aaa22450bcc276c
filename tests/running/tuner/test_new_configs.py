"""A config that changes while a trial goes on reaches its code, whichever form that has."""

from dataclasses import dataclass

import pytest
from msgspec.structs import replace

import poptune as tune
from poptune._core.scheduler import Decision, Plan, Run
from poptune.schedulers import FIFOScheduler


@dataclass(frozen=True, kw_only=True)
class Drifting(FIFOScheduler):
    """Adds 1 to the learning rate at every second iteration."""

    def decide(self, state, population, ready, random):
        trials = [population[trial] for trial in ready.trials]
        return Plan(decisions=tuple(map(self._drift, trials)))

    def _drift(self, trial):
        further = Decision(trial=trial.id, next=Run(until=trial.age + 2))
        return replace(further, config={"lr": trial.config["lr"] + 1}) if trial.iteration else further


def by_function(config):
    checkpoint = tune.get_checkpoint()
    total = checkpoint.to_dict()["total"] if checkpoint else 0
    while True:
        total += config["lr"]
        tune.report(
            {"total": total, "lr": config["lr"]}, checkpoint=tune.Checkpoint.from_dict({"total": total})
        )


def by_function_that_saves_seldom(config):
    checkpoint = tune.get_checkpoint()
    total, step = checkpoint.to_dict().values() if checkpoint else (0, 0)
    while True:
        total, step = total + config["lr"], step + 1
        state = tune.Checkpoint.from_dict({"total": total, "step": step}) if step % 3 == 0 else None
        tune.report({"total": total, "lr": config["lr"]}, checkpoint=state)


def by_steps(config):
    total = tune.StateRef(0)
    for _ in tune.steps(config, total=total):
        total.value += config["lr"]
        tune.report({"total": total.value, "lr": config["lr"]})


class ByObject(tune.Trainable):
    def setup(self, config):
        self.total = 0

    def step(self):
        self.total += self.config["lr"]
        return {"total": self.total, "lr": self.config["lr"]}

    def save_checkpoint(self, folder):
        return {"total": self.total}

    def load_checkpoint(self, state):
        self.total = state["total"]


class ByLiveObject(ByObject):
    def reset_config(self, config):
        return True


def fit(path, trainable, executor, **options):
    return tune.Tuner(
        trainable,
        param_space={"lr": tune.grid_search([0, 10])},
        tune_config=tune.TuneConfig(scheduler=Drifting(metric="total", mode="max")),
        run_config=tune.RunConfig(
            name="run",
            storage_path=path,
            executor=executor,
            verbose=0,
            stop={"training_iteration": 7},
            checkpoint_config=tune.CheckpointConfig(**options),
        ),
    ).fit()


@pytest.mark.parametrize("executor", ["inline", "processes"])
@pytest.mark.parametrize(
    "trainable", [by_function, by_steps, ByObject, ByLiveObject], ids=lambda it: it.__name__
)
def test_the_training_follows_the_journal_and_loses_nothing(tmp_path, trainable, executor):
    options = {"checkpoint_frequency": 1} if isinstance(trainable, type) or trainable is by_steps else {}
    results = fit(tmp_path, trainable, executor, **options)
    for result, first in zip(results, [0, 10], strict=True):
        rates = [first, first, first + 1, first + 1, first + 2, first + 2, first + 3]
        assert list(result.metrics_dataframe["lr"]) == rates
        assert result.metrics["total"] == sum(rates)
        assert result.config == {"lr": rates[-1]}
        assert [result.schedule(step)["lr"] for step in range(1, 8)] == rates
    assert tune.verify(tmp_path / "run").ok


def test_a_function_that_has_saved_before_goes_back_to_that_and_says_so(tmp_path):
    with pytest.warns(tune.PoptuneWarning, match="goes back for that to an older checkpoint"):
        results = fit(tmp_path, by_function_that_saves_seldom, "inline")
    for result, first in zip(results, [0, 10], strict=True):
        assert [result.schedule(step)["lr"] for step in range(1, 8)] == list(result.metrics_dataframe["lr"])
        assert result.metrics["total"] == sum(result.metrics_dataframe["lr"])
        assert result.metrics["lr"] > first


def test_a_replay_of_the_steps_form_is_entered_once(tmp_path):
    entered = []

    def by_steps_in_view(config):
        entered.append(dict(config))
        by_steps(config)

    schedule = tune.Schedule([(0, {"lr": 1}), (2, {"lr": 5}), (4, {"lr": 2})])
    (result,) = tune.Tuner(
        by_steps_in_view,
        tune_config=tune.TuneConfig(scheduler=tune.PopulationBasedTrainingReplay(schedule)),
        run_config=tune.RunConfig(
            storage_path=tmp_path, executor="inline", verbose=0, stop={"training_iteration": 6}
        ),
    ).fit()
    assert list(result.metrics_dataframe["lr"]) == [1, 1, 5, 5, 2, 2]
    assert entered == [{"lr": 1}]
