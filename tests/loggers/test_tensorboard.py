"""Event files, read back by TensorBoard's own reader."""

import logging

import pytest

import poptune as tune
from poptune.schedulers import PopulationBasedTraining

pytest.importorskip("tensorboard")


def climb(config):
    height, step = 0.0, 0
    if checkpoint := tune.get_checkpoint():
        state = checkpoint.to_dict()
        height, step = state["height"], state["step"]
    while True:
        height, step = height + config["lr"], step + 1
        save = step % 4 == 0
        state = tune.Checkpoint.from_dict({"height": height, "step": step}) if save else None
        tune.report({"height": height, "inner": {"loss": -height}}, checkpoint=state)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return tune.Tuner(
        climb,
        param_space={"lr": tune.uniform(0, 1), "name": "net"},
        tune_config=tune.TuneConfig(
            metric="height",
            mode="max",
            num_samples=4,
            seed=0,
            scheduler=PopulationBasedTraining(
                time_attr="training_iteration",
                perturbation_interval=4,
                hyperparam_mutations={"lr": tune.uniform(0, 1)},
            ),
        ),
        run_config=tune.RunConfig(
            storage_path=tmp_path_factory.mktemp("tb"),
            executor="inline",
            verbose=0,
            stop={"training_iteration": 20},
        ),
    ).fit()


def read(result):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    accumulator = EventAccumulator(result.path)
    accumulator.Reload()
    return accumulator


def test_the_curve_of_a_trial_is_that_of_its_lineage_beyond_its_last_copy(results):
    for result in results:
        points = read(result).Scalars("height")
        steps = [point.step for point in points]
        assert steps == sorted(set(steps)), "what lies beyond a copied checkpoint is forgotten"
        frame = result.lineage.metrics_dataframe.set_index("training_iteration")["height"]
        after = result.lineage.segments[-1].after
        for point in points:
            if point.step > after:
                assert point.value == pytest.approx(frame[point.step])


def test_hyperparameters_and_nested_metrics_are_scalars_too(results):
    tags = read(results[0]).Tags()["scalars"]
    assert {"height", "inner/loss", "hyperparameters/lr", "lineage/generation"} <= set(tags)
    assert "pid" not in tags


def test_each_copy_stands_as_a_text_under_lineage(results):
    for result in results:
        copies = [one for one in results.lineage.exploits if one.recipient == result.trial_id]
        accumulator = read(result)
        texts = accumulator.Tensors("lineage/copies/text_summary") if copies else []
        for copy, text in zip(copies, texts, strict=False):
            assert (
                f"goes on from iteration {copy.donor_iteration} of"
                in text.tensor_proto.string_val[0].decode()
            )
        assert bool(copies) == bool(texts)


def hparams(accumulator, tag):
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    data = accumulator.SummaryMetadata(tag).plugin_data
    assert data.plugin_name == "hparams"
    return HParamsPluginData.FromString(data.content)


def test_the_hparams_page_finds_the_first_config_and_how_the_trial_ended(results):
    from tensorboard.plugins.hparams.api_pb2 import Status

    accumulator = read(results[0])
    start = hparams(accumulator, "_hparams_/session_start_info").session_start_info
    assert start.hparams["name"].string_value == "net"
    first = results[0].schedule(1)["lr"] if len(results[0].lineage.segments) == 1 else None
    assert first is None or start.hparams["lr"].number_value == first
    end = hparams(accumulator, "_hparams_/session_end_info").session_end_info
    assert end.status == Status.Value("STATUS_SUCCESS")


def test_a_number_that_no_float_is_near_is_shown_as_text_and_ends_nothing(tmp_path):
    result = tune.Tuner(
        lambda config: tune.report({"loss": 1.0}),
        param_space={"modulus": 10**400, "lr": 0.5},
        run_config=tune.RunConfig(storage_path=tmp_path, executor="inline", verbose=0),
    ).fit()[0]
    written = read(result)
    assert [tag for tag in written.Tags()["scalars"] if "hyper" in tag] == ["hyperparameters/lr"]
    assert "loss" in written.Tags()["scalars"]
    start = hparams(written, "_hparams_/session_start_info").session_start_info
    assert start.hparams["modulus"].string_value == str(10**400)
