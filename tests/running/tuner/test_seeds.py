"""The same seed gives the same run, and nobody else's random numbers are touched."""

import random
import subprocess
import sys

import numpy as np
import pytest
import torch

import poptune as tune
from poptune.schedulers import PopulationBasedTraining


def climb(config):
    context, height, step = tune.get_context(), 0.0 * config["batch"], 0
    rng = context.rng()
    if checkpoint := tune.get_checkpoint():
        height, step = checkpoint.to_dict()["height"], checkpoint.to_dict()["step"]
    while True:
        height, step = height + config["lr"] * rng.random(), step + 1
        state = tune.Checkpoint.from_dict({"height": height, "step": step})
        tune.report({"height": height}, checkpoint=state)


def outcome(path, executor, *, synch, seed=3):
    results = tune.Tuner(
        climb,
        param_space={"lr": tune.loguniform(1e-3, 1), "batch": tune.choice([16, 32, 64])},
        tune_config=tune.TuneConfig(
            metric="height",
            mode="max",
            num_samples=5,
            seed=seed,
            scheduler=PopulationBasedTraining(
                time_attr="training_iteration",
                perturbation_interval=3,
                hyperparam_mutations={"lr": tune.loguniform(1e-3, 1), "batch": [16, 32, 64]},
                synch=synch,
            ),
        ),
        run_config=tune.RunConfig(
            storage_path=path, executor=executor, verbose=0, stop={"training_iteration": 12}
        ),
    ).fit()
    return [
        (result.config, list(result.metrics_dataframe["height"]), result.checkpoint.to_dict())
        for result in results
    ]


@pytest.mark.parametrize(
    ("executor", "synch"), [("inline", False), ("inline", True), (tune.ProcessExecutor(slots=2), True)]
)
def test_two_runs_with_one_seed_are_equal_in_every_number(tmp_path, executor, synch):
    one, two = (outcome(tmp_path / name, executor, synch=synch) for name in ("one", "two"))
    assert one == two
    assert outcome(tmp_path / "three", executor, synch=synch, seed=4) != one


def test_a_synchronous_run_is_the_same_wherever_and_on_however_many_slots_it_runs(tmp_path):
    executors = ["inline", tune.InlineExecutor(slots=3), tune.ProcessExecutor(slots=2)]
    first, *others = (
        outcome(tmp_path / str(place), executor, synch=True) for place, executor in enumerate(executors)
    )
    assert all(other == first for other in others)


def test_global_random_numbers_are_neither_read_nor_touched(tmp_path):
    def states():
        return random.getstate(), str(np.random.get_state())

    random.seed(1)
    np.random.seed(1)
    before = states()
    one = outcome(tmp_path / "one", "inline", synch=True)
    assert states() == before
    random.seed(2)
    np.random.seed(2)
    assert outcome(tmp_path / "two", "inline", synch=True) == one


def draws(config):
    first = [random.random(), np.random.random(), torch.rand(1).item()]
    state = tune.get_checkpoint().to_dict()["drawn"] if tune.get_checkpoint() else []
    for _ in range(4):
        tune.report({"drawn": first}, checkpoint=tune.Checkpoint.from_dict({"drawn": [*state, *first]}))


def drawn(path, executor, **tune_config):
    results = tune.Tuner(
        draws,
        tune_config=tune.TuneConfig(num_samples=4, seed=1, **tune_config),
        run_config=tune.RunConfig(storage_path=path, executor=executor, verbose=0),
    ).fit()
    return [tuple(result.metrics["drawn"]) for result in results]


@pytest.mark.parametrize(
    "executor", ["inline", tune.InlineExecutor(slots=4), tune.ProcessExecutor(slots=2)], ids=str
)
def test_each_trial_draws_global_random_numbers_of_its_own_and_the_same_in_each_run(tmp_path, executor):
    one, two = (drawn(tmp_path / name, executor) for name in ("one", "two"))
    assert one == two
    assert all(len(set(column)) == 4 for column in zip(*one, strict=True))


def test_seeding_can_be_switched_off(tmp_path):
    random.seed(1)
    expected = random.random()
    random.seed(1)
    assert drawn(tmp_path, "inline", seed_libraries=False)[0][0] == expected


LATE = """
import sys
from poptune._training.seeding import seed_libraries
seed_libraries(7)
assert "torch" not in sys.modules and "numpy" not in sys.modules
import numpy, torch
print(numpy.random.random(), torch.rand(1).item())
"""


def test_a_library_that_is_imported_later_is_seeded_then():
    ran = [
        subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    torch.manual_seed(7)
    np.random.seed(7)
    assert ran[0] == ran[1] == f"{np.random.random()} {torch.rand(1).item()}\n"


def test_a_trials_generator_follows_from_its_seed(tmp_path):
    def train(config):
        context = tune.get_context()
        again = np.random.default_rng(context.seed).random()
        tune.report({"equal": context.rng().random() == again})

    results = tune.Tuner(
        train, run_config=tune.RunConfig(storage_path=tmp_path, executor="inline", verbose=0)
    ).fit()
    assert results[0].metrics["equal"] is True
