from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from poptune._keeping.checkpoints import Checkpoint, CheckpointStore, DirectoryStore
from poptune.errors import CheckpointError, CorruptCheckpointError
from poptune.testing.checkpoint_stores import CheckpointStoreConformance


class TestDirectoryStore(CheckpointStoreConformance):
    def make_store(self, tmp_path: Path) -> CheckpointStore:
        return DirectoryStore(tmp_path / "experiment")


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path)


def save(store: DirectoryStore, number: int = 1) -> str:
    checkpoint = Checkpoint.from_dict({"number": number, "w": np.ones(3)})
    return store.save(checkpoint, folder="checkpoints/trial", number=number).relative_path


def test_a_checkpoint_is_named_by_its_number(store: DirectoryStore, tmp_path: Path) -> None:
    assert save(store, 4) == "checkpoints/trial/checkpoint_000004"
    assert save(store, 12_345_678) == "checkpoints/trial/checkpoint_12345678"
    assert {path.name for path in (tmp_path / "checkpoints/trial/checkpoint_000004").iterdir()} == {
        ".poptune_manifest.json",
        "state.safetensors",
    }


def test_the_size_is_that_of_the_files(store: DirectoryStore, tmp_path: Path) -> None:
    stored = store.save(Checkpoint.from_dict({"w": np.ones(9)}), folder="checkpoints/trial", number=1)
    files = list((tmp_path / "checkpoints/trial/checkpoint_000001").glob("[!.]*"))
    assert stored.size_bytes == sum(path.stat().st_size for path in files)


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_save_that_breaks_off_leaves_nothing(
    store: DirectoryStore, tmp_path: Path, monkeypatch, failure: BaseException
) -> None:
    def fail(*args: object) -> None:
        raise failure

    monkeypatch.setattr(os, "rename", fail)
    expected = CheckpointError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        save(store)
    assert not list((tmp_path / "checkpoints/trial").iterdir())


def test_an_os_error_is_explained_with_path_and_reason(store: DirectoryStore, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/trial").write_text("a file where the trial's folder should be")
    with pytest.raises(
        CheckpointError, match=r"checkpoints/trial/checkpoint_000001 must be.*Not a directory"
    ):
        save(store)


def test_what_a_killed_save_has_left_is_swept(store: DirectoryStore, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(os, "rename", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
    monkeypatch.setattr(shutil, "rmtree", lambda *args, **kwargs: None)  # as if killed
    with pytest.raises(KeyboardInterrupt):
        save(store)
    monkeypatch.undo()
    with pytest.raises(CheckpointError):
        store.open("checkpoints/trial/checkpoint_000001")
    (swept,) = store.sweep(known=["checkpoints/trial/checkpoint_000001"])
    assert swept.startswith("checkpoints/trial/.tmp-checkpoint_000001-")
    assert not list((tmp_path / "checkpoints/trial").iterdir())


def test_what_a_killed_delete_has_left_is_swept(store: DirectoryStore, tmp_path: Path, monkeypatch) -> None:
    path = save(store)
    monkeypatch.setattr(shutil, "rmtree", lambda *args, **kwargs: None)  # as if killed
    store.delete(path)
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="deleted"):
        store.open(path)
    assert len(store.sweep(known=[path])) == 1
    assert not list((tmp_path / "checkpoints/trial").iterdir())


def test_a_sweep_leaves_the_users_own_files_alone(store: DirectoryStore, tmp_path: Path) -> None:
    mine = [
        "trial/result.json",
        "trial/checkpoint_000009/.poptune_manifest.json",
        "trial/.tmp-checkpoint_000001-0a/file",
        "checkpoint_000001/file",
        "checkpoints/trial/deep/checkpoint_000001/file",
    ]
    for name in mine:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    known = save(store)
    assert store.sweep(known=[]) == [known]
    assert store.sweep(known=[known]) == []
    assert all((tmp_path / name).exists() for name in mine)


def test_a_users_own_folder_is_not_replaced(store: DirectoryStore, tmp_path: Path) -> None:
    (tmp_path / "checkpoints/trial/checkpoint_000001").mkdir(parents=True)
    with pytest.raises(CheckpointError, match="something else has that name"):
        save(store)
    assert [path.name for path in (tmp_path / "checkpoints/trial").iterdir()] == ["checkpoint_000001"]


def test_a_checkpoint_without_its_manifest_is_corrupt(store: DirectoryStore, tmp_path: Path) -> None:
    path = save(store)
    (tmp_path / path / ".poptune_manifest.json").unlink()
    with pytest.raises(CorruptCheckpointError, match="manifest"):
        store.open(path)


def test_a_harmed_donor_is_not_passed_on(store: DirectoryStore, tmp_path: Path) -> None:
    opened = store.open(save(store))
    file = tmp_path / "checkpoints/trial/checkpoint_000001/state.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    with pytest.raises(CorruptCheckpointError, match="state"):
        store.save(opened, folder="recipient", number=1)
    assert not list((tmp_path / "recipient").iterdir())


def test_sync_reaches_every_file_and_folder(store: DirectoryStore, tmp_path: Path, monkeypatch) -> None:
    path = save(store)
    synced = []
    real = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda fd: (synced.append(Path(f"/proc/self/fd/{fd}").readlink()), real(fd))
    )
    store.sync(path)
    expected = {tmp_path, *(tmp_path).rglob("*")}
    assert set(synced) == expected


def test_a_file_that_goes_while_it_is_synced_is_damage_and_no_trouble_of_the_disk(
    store: DirectoryStore, tmp_path: Path, monkeypatch
) -> None:
    path = save(store)

    def fsync(_: int) -> None:
        for file in (tmp_path / path).iterdir():
            file.unlink()

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(CorruptCheckpointError, match="must have the file .* but it is missing"):
        store.sync(path)


def test_syncing_what_was_deleted_says_so(store: DirectoryStore) -> None:
    with pytest.raises(CheckpointError, match="deleted"):
        store.sync("checkpoints/trial/checkpoint_000001")


def test_of_an_experiment_that_keeps_them_with_its_trials_the_leftovers_are_swept_there(
    store: DirectoryStore, tmp_path: Path
) -> None:
    kept, left = (
        store.save(Checkpoint.from_dict({}), folder="trial", number=n).relative_path for n in (1, 2)
    )
    (tmp_path / "trial/mine").mkdir()
    assert store.sweep(known=[kept]) == [left]
    assert sorted(path.name for path in (tmp_path / "trial").iterdir()) == ["checkpoint_000001", "mine"]
