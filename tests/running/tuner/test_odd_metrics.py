"""Metrics that are no ordinary numbers: what becomes of each, through whole runs."""

import json
import math

import numpy as np
import pytest

import poptune as tune
from poptune.schedulers import PopulationBasedTraining


def run(path, trainable, executor="inline", *, trials=3, stop=6, **config):
    return tune.Tuner(
        trainable,
        param_space={"lr": tune.grid_search([0.1 * (index + 1) for index in range(trials)])},
        tune_config=tune.TuneConfig(
            **{
                "metric": "score",
                "mode": "max",
                "seed": 0,
                "scheduler": PopulationBasedTraining(
                    time_attr="training_iteration",
                    perturbation_interval=2,
                    hyperparam_mutations={"lr": tune.uniform(0, 1)},
                    synch=True,
                ),
                **config,
            }
        ),
        run_config=tune.RunConfig(
            name="run", storage_path=path, executor=executor, verbose=0, stop={"training_iteration": stop}
        ),
    ).fit()


def scored(score):
    """Trains nothing; the score is a function of lr and step."""

    def train(config):
        checkpoint = tune.get_checkpoint()
        step = checkpoint.to_dict()["step"] if checkpoint else 0
        while True:
            step += 1
            tune.report(
                {"score": score(config["lr"], step)}, checkpoint=tune.Checkpoint.from_dict({"step": step})
            )

    return train


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_trial_whose_score_is_not_finite_copies_a_sound_one_and_is_never_copied(tmp_path, bad):
    results = run(tmp_path, scored(lambda lr, step: bad if lr == 0.1 and step < 3 else lr))
    assert results.lineage.exploits
    first = results.lineage.exploits[0]
    assert first.recipient.endswith("00000")
    assert not any(exploit.donor.endswith("00000") for exploit in results.lineage.exploits[:1])
    assert math.isfinite(results[0].metrics["score"])


def test_where_no_score_is_finite_nobody_copies_and_the_run_comes_to_its_end(tmp_path):
    with pytest.warns(tune.PoptuneWarning) as told:
        results = run(tmp_path, scored(lambda lr, step: math.nan))
    first, milestone = (str(each.message) for each in told)
    assert "Every trial's 'score' is NaN or infinite from the first result on" in first
    assert "No trial can be copied, because every trial's last 'score' is NaN or infinite" in milestone
    assert not results.lineage.exploits
    assert [result.metrics["training_iteration"] for result in results] == [6, 6, 6]
    assert all(math.isnan(score) for score in results[0].metrics_dataframe["score"])
    with pytest.raises(tune.PoptuneError, match="score"):
        results.get_best_result()


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_metrics_in_dicts_are_named_by_their_paths_wherever_one_is_named(tmp_path, executor):
    def train(config):
        height = tune.StateRef(0.0)
        for step in tune.steps(config, height=height):
            height.value += config["lr"] if step != 6 else -1.0
            tune.report({"progress": {"epoch": step}, "test": {"height": height.value}})

    results = tune.Tuner(
        train,
        param_space={"lr": tune.grid_search([0.1, 0.5])},
        tune_config=tune.TuneConfig(
            metric="test/height",
            mode="max",
            seed=0,
            scheduler=PopulationBasedTraining(
                time_attr="progress/epoch",
                perturbation_interval=2,
                quantile_fraction=0.5,
                hyperparam_mutations={"lr": [0.1, 0.5]},
                synch=True,
            ),
        ),
        run_config=tune.RunConfig(
            storage_path=tmp_path,
            executor=executor,
            verbose=0,
            stop={"progress/epoch": 6},
            checkpoint_config=tune.CheckpointConfig(
                num_to_keep=1, checkpoint_score_attribute="test/height", checkpoint_frequency=1
            ),
        ),
    ).fit()
    assert results.lineage.exploits[0].donor.endswith("00001")
    assert [result.metrics["progress"]["epoch"] for result in results] == [6, 6]
    best = results.get_best_result()
    heights = best.metrics_dataframe["test/height"]
    kept = [checkpoint.to_dict()["height"] for checkpoint, _ in best.best_checkpoints]
    assert max(heights) in kept
    assert heights.iloc[-1] < max(heights)


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_odd_values_come_back_as_what_they_mean(tmp_path, executor):
    def train(config):
        import torch

        tune.report(
            {
                "score": torch.tensor(0.5),
                "array": np.arange(3, dtype=np.int8),
                "numpy": np.float32(0.25),
                "flag": np.bool_(True),
                "none": None,
                "text": "naïve ☃",
                "huge": 10**30,
                "long": 2**63 - 1,
                "nested": {"deep": [1, {"er": math.inf}]},
                "large": "x" * 10_000_000,
            }
        )

    results = run(tmp_path, train, executor, trials=1, stop=1, scheduler=None)
    metrics = results[0].metrics
    assert (metrics["score"], metrics["array"], metrics["numpy"]) == (0.5, [0, 1, 2], 0.25)
    assert (metrics["flag"], metrics["none"], metrics["text"]) == (True, None, "naïve ☃")
    assert (metrics["huge"], metrics["long"]) == (1e30, 2**63 - 1)
    assert metrics["nested"] == {"deep": [1, {"er": math.inf}]}
    assert len(metrics["large"]) == 10_000_000
    (line,) = (tmp_path / "run").glob("*/result.json")
    assert json.loads(line.read_text())["nested"]["deep"][1]["er"] == math.inf


def test_metrics_may_come_and_go(tmp_path):
    def train(config):
        for step in range(1, 5):
            tune.report({"score": step, f"only_{step}": step, **({"even": step} if step % 2 == 0 else {})})

    (result,) = run(tmp_path, train, trials=1, stop=4, scheduler=None)
    frame = result.metrics_dataframe
    assert list(frame["even"].fillna(0)) == [0, 2, 0, 4]
    assert {"only_1", "only_4"} <= set(frame.columns)
    (table,) = (tmp_path / "run").glob("*/progress.csv")
    header, *rows = table.read_text().splitlines()
    assert {"only_1", "only_2", "only_3", "only_4", "even"} <= set(header.split(","))
    assert len(rows) == 4


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"score": 1, "epoch": 1}, "'epoch' measures progress.*got 1 after 2"),
        ({"score": 1, "epoch": math.nan}, "'epoch' measures progress.*got nan"),
        ({"score": 1, "epoch": "2"}, "'epoch' measures progress.*got '2'"),
        ({"score": object(), "epoch": 3}, "'score' must be a number"),
        ({"epoch": 3}, "lacks 'score'"),
        ({1: 2}, "keys of metrics must be strings"),
        ("score", "report.. takes a dict of metrics, got 'score'"),
    ],
)
def test_a_result_that_cannot_be_used_is_an_error_of_that_trial_alone(tmp_path, row, message):
    def train(config):
        tune.report({"score": 1.0, "epoch": 2})
        tune.report(row if config["lr"] == 0.1 else {"score": 2.0, "epoch": 3})

    scheduler = PopulationBasedTraining(
        time_attr="epoch", perturbation_interval=3, hyperparam_mutations={"lr": tune.uniform(0, 1)}
    )
    results = run(tmp_path, train, trials=2, scheduler=scheduler)
    (error,) = results.errors
    with pytest.raises(type(error), match=message):
        raise error
    assert results[1].metrics["score"] == 2.0


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_text_that_is_no_unicode_is_kept_as_far_as_it_can_be(tmp_path, executor):
    def train(config):
        tune.report({"score": 1.0, "file": "caf\udce9"})

    (result,) = run(tmp_path, train, executor, trials=1, stop=1, scheduler=None)
    assert result.metrics["file"] == "caf\\udce9"
