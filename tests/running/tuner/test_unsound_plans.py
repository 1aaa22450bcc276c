"""A scheduler that decides what cannot be carried out ends the run in words, and spoils nothing."""

from dataclasses import dataclass

import pytest
from climbers import climb
from msgspec.structs import replace

import poptune as tune
from poptune._core.scheduler import CheckpointRef, Decision, Load, Plan, Run
from poptune.schedulers import FIFOScheduler


@dataclass(frozen=True, kw_only=True)
class Overreaching(FIFOScheduler):
    """Has each trial train to 2, and then go on from a checkpoint; of what there is, or made up."""

    makes_up: bool = True

    def decide(self, state, population, ready, random):
        if ready.cause == "start":
            runs = (Decision(trial=trial, next=Run(until=2.0)) for trial in ready.trials)
            return Plan(decisions=tuple(runs))
        decisions = [self._further(population[trial].checkpoint, trial) for trial in ready.trials]
        return Plan(decisions=tuple(decisions))

    def _further(self, own: CheckpointRef, trial):
        number = own.number + self.makes_up
        named = replace(own, number=number, id=f"{trial}/checkpoint_{number:06d}")
        return Decision(trial=trial, next=Run(), source=Load(named))


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_a_made_up_checkpoint_ends_the_run_and_the_mended_scheduler_goes_on(tmp_path, executor):
    tuner = tune.Tuner(
        climb,
        param_space={"lr": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(
            num_samples=2, seed=0, scheduler=Overreaching(metric="height", mode="max")
        ),
        run_config=tune.RunConfig(
            name="run",
            storage_path=tmp_path,
            executor=executor,
            verbose=0,
            stop={"training_iteration": 4},
        ),
    )
    with pytest.raises(tune.SchedulerError) as told:
        tuner.fit()
    assert "A plan of Overreaching cannot be carried out: trial '" in str(told.value)
    assert "checkpoint_000003' in 'checkpoints/" in str(told.value)
    (note,) = told.value.__notes__
    assert "Tuner.restore(path, scheduler=...)" in note

    mended = Overreaching(metric="height", mode="max", makes_up=False)
    results = tune.Tuner.restore(tmp_path / "run", scheduler=mended).fit()
    assert [result.metrics["training_iteration"] for result in results] == [4, 4]
    assert tune.verify(tmp_path / "run").ok
