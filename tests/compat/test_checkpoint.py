"""``Checkpoint`` as Ray makes and compares it."""

import pickle
from pathlib import Path

import pytest

import poptune
from poptune.compat.ray import air, train, tune
from poptune.compat.ray.air import session


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    (made / "w").write_text("1")
    return made


@pytest.mark.parametrize(
    "make",
    [
        tune.Checkpoint,
        lambda folder: tune.Checkpoint(str(folder)),
        lambda folder: tune.Checkpoint(path=folder),
        lambda folder: tune.Checkpoint(f"file://{folder}"),
        tune.Checkpoint.from_directory,
    ],
)
def test_a_checkpoint_is_made_of_a_folders_path(make, folder):
    checkpoint = make(folder)
    with checkpoint.as_directory() as there:
        assert [file.name for file in Path(there).iterdir()] == ["w"]
    assert checkpoint.path == str(folder)
    assert checkpoint == tune.Checkpoint(folder)
    assert pickle.loads(pickle.dumps(checkpoint)) == checkpoint


def test_checkpoints_are_equal_by_their_paths(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    assert len({tune.Checkpoint(folder), tune.Checkpoint(folder), tune.Checkpoint(other)}) == 2
    assert tune.Checkpoint(folder) != tune.Checkpoint(other)
    assert tune.Checkpoint(folder) != str(folder)
    one, two = tune.Checkpoint.from_dict({}), tune.Checkpoint.from_dict({})
    assert one == one  # noqa: PLR0124
    assert one != two


def test_it_is_one_class_in_all_modules():
    assert tune.Checkpoint is train.Checkpoint is air.Checkpoint


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("filesystem", "checkpoint.path"), ("from_uri", "storage_path"), ("to_bytes", "to_d")],
)
def test_what_is_not_mirrored_says_what_to_use(name, remedy, folder):
    for owner in (tune.Checkpoint, tune.Checkpoint(folder)):
        with pytest.raises(AttributeError, match=f"not mirrored: .*{remedy}"):
            getattr(owner, name)
    with pytest.raises(AttributeError, match="has no attribute 'pahts'"):
        tune.Checkpoint(folder).pahts  # noqa: B018


def test_a_file_system_or_a_missing_folder_is_refused(folder):
    with pytest.raises(poptune.ConfigurationError, match="leave it out"):
        tune.Checkpoint(folder, filesystem="s3")
    with pytest.raises(poptune.ConfigurationError, match="existing folder"):
        tune.Checkpoint(folder / "w")


def test_metadata_goes_with_the_checkpoint_and_stays_as_it_was_reported(inline, folder):
    def learn(config):
        checkpoint = tune.Checkpoint(config["folder"])
        assert checkpoint.get_metadata() == {}
        checkpoint.set_metadata({"a": 1})
        checkpoint.update_metadata({"b": 2})
        tune.report({"loss": 1}, checkpoint=checkpoint)

    (result,) = tune.Tuner(learn, param_space={"folder": str(folder)}, run_config=inline()).fit()
    assert result.error is None
    assert result.checkpoint.get_metadata() == {"a": 1, "b": 2}
    with pytest.raises(poptune.CheckpointError, match="before a checkpoint is reported"):
        result.checkpoint.set_metadata({})


def test_trials_results_and_analyses_give_the_same_kind(inline, folder):
    kinds = []

    def learn(config):
        if not session.get_checkpoint():
            tune.report({"loss": 1}, checkpoint=poptune.Checkpoint.from_dict({"step": 1}))
            raise RuntimeError("once")
        kinds.append(tune.get_checkpoint())
        tune.report({"loss": 0}, checkpoint=tune.Checkpoint(folder))

    results = tune.Tuner(
        learn,
        tune_config=tune.TuneConfig(metric="loss", mode="min"),
        run_config=inline(failure_config=poptune.FailureConfig(max_failures=1)),
    ).fit()
    (result,) = results
    kinds += [result.checkpoint, result.get_best_checkpoint(), *(one for one, _ in result.best_checkpoints)]
    assert {type(one) for one in kinds} == {tune.Checkpoint}
    assert kinds[0].to_dict() == {"step": 1}
    assert result.checkpoint == result.get_best_checkpoint() == result.best_checkpoints[-1][0]
    analysis = tune.ExperimentAnalysis(results)
    assert analysis.best_checkpoint == result.checkpoint
    assert Path(result.checkpoint.to_directory(), "w").read_text() == "1"


def test_in_memory_it_has_no_path_yet():
    with pytest.raises(poptune.CheckpointError, match="report it"):
        tune.Checkpoint.from_dict({"a": 1}).path  # noqa: B018
