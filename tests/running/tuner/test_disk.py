"""What the system says of the experiment's files."""

import errno

import pytest

import poptune as tune
from poptune._keeping.checkpoints import DirectoryStore
from poptune._running.tuner.disk import disk_errors_explained
from poptune.errors import CheckpointError, ExperimentError


@pytest.mark.parametrize("name", ["run/result.json", None])
def test_a_full_disk_is_an_error_that_says_what_to_do(tmp_path, name):
    error = OSError(errno.ENOSPC, "No space left on device", name and str(tmp_path / name))
    with (
        pytest.raises(ExperimentError, match=r"No space left.*Tuner\.restore") as caught,
        disk_errors_explained(tmp_path),
    ):
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error", [FileNotFoundError(errno.ENOENT, "No such file", "/elsewhere"), ConnectionError("of the user's")]
)
def test_an_error_about_something_else_passes(tmp_path, error):
    with pytest.raises(type(error)) as caught, disk_errors_explained(tmp_path):
        raise error
    assert caught.value is error


def climb(config):
    checkpoint = tune.get_checkpoint()
    height = checkpoint.to_dict()["height"] if checkpoint else 0
    while True:
        height += 1
        tune.report({"height": height}, checkpoint=tune.Checkpoint.from_dict({"height": height}))


def test_a_disk_without_room_for_checkpoints_is_no_fault_of_the_trials(tmp_path, monkeypatch):
    save = DirectoryStore.save

    def full(store, checkpoint, *, folder, number):
        if number == 3:
            cause = OSError(errno.ENOSPC, "No space left on device")
            raise CheckpointError("Checkpoint 3 must be written, but the system says: no space") from cause
        return save(store, checkpoint, folder=folder, number=number)

    tuner = tune.Tuner(
        climb,
        tune_config=tune.TuneConfig(metric="height", mode="max", num_samples=2),
        run_config=tune.RunConfig(
            name="run", storage_path=tmp_path, executor="inline", verbose=0, stop={"height": 5}
        ),
    )
    monkeypatch.setattr(DirectoryStore, "save", full)
    with pytest.raises(ExperimentError, match=r"no space.*Tuner\.restore"):
        tuner.fit()
    monkeypatch.undo()
    results = tune.Tuner.restore(tmp_path / "run").fit()
    assert not results.errors
    assert [result.metrics["height"] for result in results] == [5, 5]


def test_an_experiment_that_was_killed_while_its_journal_was_made_can_be_begun_anew(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("experiment.db.new", "experiment.db.new-journal", "experiment.lock", "objects.pkl"):
        (folder / name).write_bytes(b"torn")
    results = tune.Tuner(
        climb,
        tune_config=tune.TuneConfig(metric="height", mode="max"),
        run_config=tune.RunConfig(
            name="run", storage_path=tmp_path, executor="inline", verbose=0, stop={"height": 2}
        ),
    ).fit()
    assert [result.metrics["height"] for result in results] == [2]
    assert not list(folder.glob("*.new*"))
