"""Replaying what a population found, from its policy log or its schedule."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import poptune as tune
from poptune._base.equality import same
from poptune._core.schedule import Schedule
from poptune._core.unopened import UnopenedObject
from poptune.schedulers import PopulationBasedTraining, PopulationBasedTrainingReplay


def climb(config):
    height, step = 0.0, 0
    if checkpoint := tune.get_checkpoint():
        state = checkpoint.to_dict()
        height, step = state["height"], state["step"]
    while True:
        height, step = height + config["lr"], step + 1
        save = step % 4 == 0
        state = tune.Checkpoint.from_dict({"height": height, "step": step}) if save else None
        tune.report({"height": height}, checkpoint=state)


def run(path, scheduler, *, name, trainable=climb, space=None, num_samples=1):
    return tune.Tuner(
        trainable,
        param_space=space,
        tune_config=tune.TuneConfig(
            metric="height", mode="max", num_samples=num_samples, seed=0, scheduler=scheduler
        ),
        run_config=tune.RunConfig(
            storage_path=path, name=name, executor="inline", verbose=0, stop={"training_iteration": 20}
        ),
    ).fit()


@pytest.fixture
def searched(tmp_path):
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=4,
        hyperparam_mutations={"lr": tune.uniform(0, 1)},
        synch=True,
    )
    return run(tmp_path, scheduler, name="search", num_samples=4)


def test_a_policy_file_and_a_schedule_replay_the_same_run(searched, tmp_path):
    perturbed = [result for result in searched if len(result.schedule.changes) > 1]
    assert perturbed
    for result in perturbed:
        policy = tmp_path / "search" / f"pbt_policy_{result.trial_id}.txt"
        for number, source in enumerate((policy, str(policy), result.schedule)):
            replayed = run(
                tmp_path, PopulationBasedTrainingReplay(source), name=f"{result.trial_id}_{number}"
            )
            assert replayed[0].schedule == result.schedule
            assert replayed[0].metrics["height"] == result.metrics["height"], (
                "this training has no chance in it"
            )


def test_a_trial_that_never_copied_is_replayed_with_a_constant_schedule(tmp_path):
    replayed = run(tmp_path, PopulationBasedTrainingReplay(Schedule([(0, {"lr": 0.5})])), name="replay")
    assert replayed[0].metrics["height"] == 10.0


def test_each_change_is_applied_at_its_iteration(tmp_path):
    schedule = Schedule([(0, {"lr": 1.0}), (4, {"lr": 2.0}), (12, {"lr": 0.0})])
    heights = run(tmp_path, PopulationBasedTrainingReplay(schedule), name="r")[0].metrics_dataframe["height"]
    assert list(heights) == [1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 18] + [20] * 9


def test_a_replay_without_checkpoints_says_that_changes_are_skipped(tmp_path):
    def forgetful(config):
        for _ in range(20):
            tune.report({"height": config["lr"]})

    schedule = Schedule([(0, {"lr": 1.0}), (4, {"lr": 2.0})])
    with pytest.warns(tune.PoptuneWarning, match="change of the replayed schedule is skipped"):
        run(tmp_path, PopulationBasedTrainingReplay(schedule), name="r", trainable=forgetful)


def test_the_param_space_is_overridden_with_a_warning(tmp_path):
    replay = PopulationBasedTrainingReplay(Schedule([(0, {"lr": 0.5})]))
    with pytest.warns(tune.PoptuneWarning, match="the param_space is overridden"):
        results = run(tmp_path, replay, name="r", space={"lr": tune.uniform(0, 1)})
    assert results[0].config == {"lr": 0.5}


def test_replay_of_two_trials_is_refused(tmp_path):
    replay = PopulationBasedTrainingReplay(Schedule([(0, {"lr": 0.5})]))
    with pytest.raises(tune.ConfigurationError, match="a population of exactly 1, got 2"):
        run(tmp_path, replay, name="r", num_samples=2)


def test_a_policy_of_another_experiment_is_refused(tmp_path):
    replay = PopulationBasedTrainingReplay(Schedule([(0, {"lr": 0.5})]))
    with pytest.raises(tune.ConfigurationError, match=r"keys are \['lr'\], but .* \['momentum'\]"):
        run(tmp_path, replay, name="r", space={"momentum": tune.uniform(0, 1)})


def test_a_missing_policy_file_is_refused(tmp_path):
    with pytest.raises(tune.ConfigurationError, match=r"nowhere.txt' cannot be read"):
        run(tmp_path, PopulationBasedTrainingReplay(tmp_path / "nowhere.txt"), name="r")
    with pytest.raises(tune.ConfigurationError, match="policy_file must be the path .* got 3"):
        PopulationBasedTrainingReplay(3)


def relu(x):
    return max(x, 0)


def double(x):
    return 2 * x


class Net:
    def __init__(self, width):
        self.width = width

    def __repr__(self):
        return f"Net({self.width})"


def applied(config):
    step = tune.get_checkpoint().to_dict()["step"] if tune.get_checkpoint() else 0
    while True:
        step += 1
        height = config["activations"][0](config["lr"] * step) + config["model"]["net"].width
        height += float(config["weights"].sum())
        tune.report({"height": height}, checkpoint=tune.Checkpoint.from_dict({"step": step}))


@pytest.fixture
def own():
    """Values that are no JSON: a function in a list, an object in a dict, an array."""
    return {"activations": [relu], "model": {"net": Net(3), "depth": 2}, "weights": np.ones(2)}


@pytest.fixture
def path_of_own(own, tmp_path):
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=4,
        hyperparam_mutations={"lr": tune.uniform(0, 1)},
        synch=True,
    )
    space = {"lr": tune.grid_search([0.1, 0.2, 0.3, 0.4]), **own}
    return run(tmp_path, scheduler, name="own", trainable=applied, space=space).experiment_path


def sources(path):
    """What a new program can replay of an experiment: schedules, policy files, older policy files."""
    for policy in sorted(Path(path).glob("pbt_policy_*.txt")):
        older = policy.with_name(f"older_{policy.name}")
        text = re.sub(r'\{"\$object": ("[^"]*")\}', r"\1", policy.read_text())
        older.write_text(text.replace('"array([1., 1.])"', "[1.0, 1.0]"))
        yield from (policy, older)
    yield from (result.schedule for result in tune.ResultGrid.from_path(path))


def test_values_that_a_policy_only_names_are_taken_from_the_param_space(path_of_own, own, tmp_path):
    for number, source in enumerate(sources(path_of_own)):
        replay = PopulationBasedTrainingReplay(source)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", tune.PoptuneWarning)  # that model.depth is overridden
            results = run(tmp_path, replay, name=f"r{number}", trainable=applied, space=own)
        assert results.num_errors == 0
        assert same(results[0].config, {**own, "lr": results[0].config["lr"]})
        assert tune.Tuner.restore(results.experiment_path).get_results().num_errors == 0


def test_only_what_the_policy_has_itself_is_said_to_be_overridden(path_of_own, own, tmp_path):
    replay = PopulationBasedTrainingReplay(tune.ResultGrid.from_path(path_of_own)[0].schedule)
    del own["model"]["depth"]
    run(tmp_path, replay, name="r", trainable=applied, space=own)  # a warning would be an error
    with pytest.warns(
        tune.PoptuneWarning,
        match="is overridden, but for activations.0, model.net, weights, which the policy only names",
    ):
        run(tmp_path, replay, name="r2", trainable=applied, space={**own, "lr": 0.1})


@pytest.mark.parametrize(
    ("space", "named", "nested"),
    [
        (None, "'activations.0'", "{'activations': ..., 'model': {'net': ...}, 'weights': ...}"),
        (
            {"activations": [relu], "weights": np.ones(2)},
            r"'model.net' \(Net\(3\)\)",
            "{'model': {'net': ...}}",
        ),
        ({"activations": [relu], "model": {"net": Net(3)}}, "'weights'", "{'weights': ...}"),
    ],
)
def test_a_value_that_is_missing_is_refused_before_anything_starts(
    path_of_own, tmp_path, space, named, nested
):
    schedule = tune.ResultGrid.from_path(path_of_own)[0].schedule
    with pytest.raises(tune.ConfigurationError, match=f"only names .*{named}") as caught:
        run(tmp_path, PopulationBasedTrainingReplay(schedule), name="r", trainable=applied, space=space)
    assert f"param_space={nested}" in str(caught.value)
    assert not (tmp_path / "r").exists()


def test_a_value_that_changes_on_the_way_is_found_among_the_options(tmp_path):
    changing = Schedule([(0, {"f": UnopenedObject(repr(relu))}), (4, {"f": UnopenedObject(repr(double))})])

    def stepping(config):
        step = tune.get_checkpoint().to_dict()["step"] if tune.get_checkpoint() else 0
        while True:
            step += 1
            tune.report({"height": config["f"](1)}, checkpoint=tune.Checkpoint.from_dict({"step": step}))

    replay = PopulationBasedTrainingReplay(changing)
    results = run(tmp_path, replay, name="r", trainable=stepping, space={"f": tune.choice([double, relu])})
    assert list(results[0].metrics_dataframe["height"]) == [1] * 4 + [2] * 16
    for space in ({"f": relu}, {"f": tune.choice([relu])}, {"f": tune.sample_from(lambda: relu)}):
        with pytest.raises(tune.ConfigurationError, match=r"tune.choice\(\[...\]\) of all"):
            run(tmp_path, replay, name="r2", trainable=stepping, space=space)


@pytest.mark.parametrize(
    ("what", "space", "points", "mutation"),
    [
        (r"param_space\['net'\]\['layers'\]\[0\]", {"net": {"layers": [UnopenedObject("X")]}}, [], [1]),
        (r"param_space\['net'\]\[1\]", {"net": tune.choice([1, UnopenedObject("X")])}, [], [1]),
        (r"points_to_evaluate\[0\]\['net'\]", {"net": 1}, [{"net": UnopenedObject("X")}], [1]),
        (r"hyperparam_mutations\['lr'\]\[0\]", {"net": 1}, [], [UnopenedObject("X")]),
    ],
)
def test_a_config_of_results_that_only_stands_for_an_object_is_refused(what, space, points, mutation):
    with pytest.raises(tune.ConfigurationError, match=f"{what} only stands for X"):
        tune.Tuner(
            climb,
            param_space=space,
            tune_config=tune.TuneConfig(
                metric="height",
                mode="max",
                num_samples=2,
                points_to_evaluate=points,
                scheduler=PopulationBasedTraining(hyperparam_mutations={"lr": mutation}),
            ),
        )
