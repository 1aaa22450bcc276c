"""Values of the user's own in configs: compared with care, handed to user code as copies."""

from __future__ import annotations

import argparse
import functools
import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import poptune as tune
from poptune._base.copies import copied
from poptune._base.equality import index_of, same
from poptune.schedulers import Explored, Explorer, PopulationBasedTraining

LR = tune.loguniform(1e-6, 1e6)
"""So wide that it always changes."""


def relu(x: float) -> float:
    return max(x, 0)


def elu(x: float) -> float:
    return x


def gelu(x: float) -> float:
    return x * 2


class Tanh:
    def __init__(self, scale: float) -> None:
        self.scale = scale


def train(config):
    step = tune.get_checkpoint().to_dict()["step"] if tune.get_checkpoint() else 0
    used = dict(config)
    while step < 12:
        step += 1
        tune.report({"acc": used["lr"] * step}, checkpoint=tune.Checkpoint.from_dict({"step": step}))


def fit(path, space, *, trainable=train, samples=6, seed=5, callbacks=(), tuned=None, **scheduler):
    return tune.Tuner(
        trainable,
        param_space=space,
        tune_config=tune.TuneConfig(
            metric="acc",
            mode="max",
            num_samples=samples,
            seed=seed,
            scheduler=PopulationBasedTraining(
                time_attr="training_iteration",
                perturbation_interval=2,
                synch=True,
                resample_probability=0,
                **scheduler,
            ),
            **(tuned or {}),
        ),
        run_config=tune.RunConfig(
            storage_path=path, executor="inline", verbose=0, loggers=("json",), callbacks=callbacks
        ),
    ).fit()


OPTIONS: dict[str, list[Any]] = {
    "functions": [relu, elu, gelu],
    "lambdas": [lambda x: x, lambda x: x + 1, lambda x: x + 2],
    "partials": [functools.partial(relu, x) for x in (1, 2, 3)],
    "classes": [Tanh, dict, list],
    "objects": [Tanh(0.1), Tanh(0.2), Tanh(0.3)],
    "numpy's functions": [np.exp, np.log, np.tanh],
    "numpy's types": [np.float32, np.dtype("f8"), np.int8],
    "torch functions": [torch.relu, torch.tanh, torch.sigmoid],
    "modules": [torch.nn.ReLU(), torch.nn.Tanh(), torch.nn.Linear(2, 2)],
    "tensors": [torch.zeros(2), torch.ones(2), torch.ones(3)],
    "frames": [pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2]}), pd.DataFrame({"b": [1]})],
    "arrays in lists": [[np.zeros(2)], [np.ones(2)], [np.ones(2), 1]],
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", OPTIONS)
@pytest.mark.parametrize("form", ["list", "ordinal", "choice"])
def test_a_run_with_options_of_any_kind_is_verified_and_each_move_is_to_a_neighbour(tmp_path, kind, form):
    options = OPTIONS[kind]
    mutation = {"list": options, "ordinal": tune.ordinal(options), "choice": tune.choice(options)}[form]
    results = fit(
        tmp_path,
        {"lr": tune.uniform(0, 1), "option": tune.choice(options)},
        hyperparam_mutations={"lr": LR, "option": mutation},
        tuned={"points_to_evaluate": [{"option": options[1]}]},
    )
    assert results.num_errors == 0
    assert str(tune.verify(results.experiment_path)).splitlines()[1].endswith(": 0 differences")
    restored = tune.Tuner.restore(results.experiment_path).get_results()
    for result in (*results, *restored):
        places = [index_of(config["option"], options) for _, config in result.schedule.changes]
        assert None not in places
        assert all(abs(one - following) <= 1 for one, following in itertools.pairwise(places))
    assert all(same(one.config, other.config) for one, other in zip(results, restored, strict=True))


CONSTANTS = {
    "array": np.arange(3.0),
    "nan": float("nan"),
    "module": torch.nn.Linear(2, 2),
    "tensor": torch.tensor([1.0, float("nan")]),
    "frame": pd.DataFrame({"a": [1, float("nan")]}),
    "series": pd.Series([1, 2]),
    "arrays": {"shapes": [np.zeros(2), np.zeros(3)]},
}


@pytest.mark.parametrize("kind", CONSTANTS)
def test_a_constant_of_any_kind_makes_no_change_in_lineage_and_schedule(tmp_path, kind):
    results = fit(
        tmp_path,
        {"lr": tune.uniform(0, 1), "constant": CONSTANTS[kind]},
        hyperparam_mutations={"lr": LR},
    )
    assert results.num_errors == 0
    for found in (results, tune.ResultGrid.from_path(results.experiment_path)):
        for result in found:
            lrs = [config["lr"] for _, config in result.schedule.changes]
            assert len(set(lrs)) == len(lrs), "each change is one of lr"
            assert str(result.lineage)
    assert tune.verify(results.experiment_path).ok


def space() -> dict[str, Any]:
    """What user code could change in place."""
    return {
        "lr": tune.uniform(0, 1),
        "array": np.zeros(2),
        "args": argparse.Namespace(lr=1.0, backend=np),
        "nested": {"layers": [64, {"width": 1}]},
        "option": tune.choice([{"layers": [1]}]),
        "made": tune.sample_from(spoil_spec),
    }


MADE = {"layers": [3]}


def spoil(config) -> None:
    config["array"] += 1
    config["args"].lr = 7
    config["nested"]["layers"][1]["width"] = 7
    config["nested"]["new"] = 7
    config["option"]["layers"].append(7)
    config["made"]["layers"].append(7)


def spoil_spec(spec) -> Any:
    spec.config.array[:] = 7
    spec.config.args.lr = 7
    spec.config.nested.layers[1]["width"] = 7
    spec.config["option"]["layers"].append(7)
    return MADE


def is_spoiled(config) -> bool:
    fresh = {**space(), "option": {"layers": [1]}, "made": {"layers": [3]}}
    config = copied(config)
    return any(not same(config[key], value) for key, value in fresh.items() if key != "lr")


def test_what_trials_do_to_their_configs_reaches_nobody_else(tmp_path):
    def spoiling(config):
        step = tune.get_checkpoint().to_dict()["step"] if tune.get_checkpoint() else 0
        tune.report({"acc": 0.0, "spoiled": is_spoiled(config)}) if step == 0 else None
        while step < 6:
            step += 1
            spoil(config)
            tune.report({"acc": config["lr"]}, checkpoint=tune.Checkpoint.from_dict({"step": step}))

    mine = space()
    results = fit(tmp_path, mine, trainable=spoiling, hyperparam_mutations={"lr": LR})
    assert results.num_errors == 0
    assert not any(is_spoiled(result.config) for result in results)
    assert not any(result.metrics_dataframe["spoiled"].fillna(False).any() for result in results)
    assert not is_spoiled({**mine, "option": {"layers": [1]}, "made": MADE})


def test_what_names_callbacks_and_readers_of_results_do_reaches_nobody_else(tmp_path):
    class Spoiling(tune.Callback):
        def on_trial_result(self, iteration, trials, trial, result, **info):
            result["nested"]["value"] = 7
            result["acc"] = 100.0

        def setup(self, stop=None, **info):
            del info

    def name(spec):
        spoil(spec.config)
        return f"mine_{spec.index}"

    def nested(config):
        for step in range(1, 7):
            tune.report(
                {"acc": config["lr"], "nested": {"value": 1}},
                checkpoint=tune.Checkpoint.from_dict({"step": step}),
            )

    mine = space()
    results = fit(
        tmp_path,
        mine,
        trainable=nested,
        callbacks=[Spoiling()],
        hyperparam_mutations={"lr": LR},
        tuned={"trial_name_creator": name},
    )
    for result in results:
        assert result.metrics["nested"] == {"value": 1}
        assert not is_spoiled(result.config)
        spoil(result.config)
        spoil(result.metrics["config"])
        result.metrics["nested"]["value"] = 7
    assert all(result.metrics["nested"] == {"value": 1} for result in results)
    assert not any(is_spoiled(result.config) for result in results)
    assert not is_spoiled({**mine, "option": {"layers": [1]}, "made": MADE})


def test_an_explore_function_that_changes_its_config_in_place_changes_that_one(tmp_path):
    def explore(config):
        config["array"] += 1
        config["args"].lr /= 2
        return config

    def telling(config):
        step = tune.get_checkpoint().to_dict()["step"] if tune.get_checkpoint() else 0
        while step < 7:  # one more than the last milestone
            step += 1
            told = f"{config['array']} {config['args'].lr}"
            tune.report(
                {"acc": config["rank"], "told": told}, checkpoint=tune.Checkpoint.from_dict({"step": step})
            )

    mine = {"rank": tune.grid_search([0, 1, 2, 3]), "array": np.zeros(2), "args": argparse.Namespace(lr=1.0)}
    before = copied(mine)
    results = fit(tmp_path, mine, trainable=telling, samples=1, custom_explore_fn=explore)
    restored = tune.Tuner.restore(results.experiment_path).get_results()
    assert results[3].metrics["told"] == "[0. 0.] 1.0", "the best copies nobody"
    for result in (*results, *restored):
        assert result.metrics["told"] == f"{result.config['array']} {result.config['args'].lr}"
    assert same(mine["array"], before["array"])
    assert mine["args"] == before["args"]


def test_an_explore_object_of_the_user_s_own_gets_a_copy_too(tmp_path):
    class InPlace(Explorer[None]):
        def explore(self, state, population, copy, draw):
            copy.config["array"] += 1
            return Explored(copy.config)

    results = fit(tmp_path, {"lr": tune.uniform(0, 1), "array": np.zeros(1)}, samples=4, explorer=InPlace())
    assert any(len(result.schedule.changes) > 1 for result in results)
    for result in results:
        assert list(result.config["array"]) == [len(result.schedule.changes) - 1]


def test_what_the_user_changes_after_making_the_tuner_changes_nothing(tmp_path):
    array, options, point = np.zeros(2), [{"width": 1}], {"extra": [1]}
    mine = {"lr": tune.uniform(0, 1), "array": array, "nested": {"a": 1}, "extra": tune.choice([[0]])}
    tuner = tune.Tuner(
        train,
        param_space=mine,
        tune_config=tune.TuneConfig(
            metric="acc",
            mode="max",
            num_samples=2,
            seed=0,
            points_to_evaluate=[point],
            scheduler=PopulationBasedTraining(
                time_attr="training_iteration",
                perturbation_interval=2,
                hyperparam_mutations={"net": options},
            ),
        ),
        run_config=tune.RunConfig(storage_path=tmp_path, executor="inline", verbose=0, loggers=()),
    )
    array += 1
    mine["nested"]["a"] = 2
    mine["new"] = 1
    options[0]["width"] = 2
    point["extra"].append(2)
    results = tuner.fit()
    first = dict(results.lineage.segments[results[0].trial_id][0].config)
    del first["lr"]
    assert same(first, {"array": np.zeros(2), "nested": {"a": 1}, "extra": [1], "net": {"width": 1}})


class Interrupting(tune.Callback):
    """Ends the run in the middle, as Ctrl-C would, the first time that it is used."""

    fail_run = True
    left = 0

    def on_trial_result(self, iteration, trials, trial, result, **info):
        Interrupting.left -= 1
        if Interrupting.left == 0:
            raise InterruptedError


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["functions", "lambdas", "objects", "modules"])
@pytest.mark.parametrize("after", [5, 20, 37])
def test_a_run_with_options_of_any_kind_goes_on_after_a_restore_as_it_would_have(tmp_path, kind, after):
    options = OPTIONS[kind]
    space = {"lr": tune.uniform(0, 1), "option": tune.choice(options)}
    mutations = {"lr": LR, "option": options}
    whole = fit(tmp_path / "whole", space, callbacks=[Interrupting()], hyperparam_mutations=mutations)
    Interrupting.left = after
    with pytest.raises(InterruptedError):
        fit(tmp_path / "torn", space, callbacks=[Interrupting()], hyperparam_mutations=mutations)
    [torn] = (tmp_path / "torn").iterdir()
    restored = tune.Tuner.restore(torn).fit()
    for one, other in zip(whole, restored, strict=True):
        assert [at for at, _ in one.schedule.changes] == [at for at, _ in other.schedule.changes]
        assert same([c for _, c in one.schedule.changes], [c for _, c in other.schedule.changes])
    assert tune.verify(torn).ok


class Attributes(dict):
    """A dict that reads by attributes, as of many libraries."""

    __getattr__ = dict.__getitem__


def test_a_dict_of_another_class_is_a_plain_one_before_and_after_an_exploit_and_in_the_frame(tmp_path):
    options = [Attributes(width=place, deep=Attributes(act="relu")) for place in range(3)]
    kinds = set()

    def remembering(config):
        kinds.add((type(config["net"]), type(config["net"]["deep"])))
        train(config)

    grid = fit(
        tmp_path,
        {"lr": LR, "net": tune.choice(options)},
        trainable=remembering,
        hyperparam_mutations={"lr": LR, "net": options},
    )
    assert any(len(result.lineage.segments) > 1 for result in grid)
    assert kinds == {(dict, dict)}
    pd.testing.assert_frame_equal(
        grid.get_dataframe(), tune.ResultGrid.from_path(grid.experiment_path).get_dataframe()
    )
    assert {"config/net/width", "config/net/deep/act"} <= set(grid.get_dataframe())
