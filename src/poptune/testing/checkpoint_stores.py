"""What every checkpoint store must do, as tests to run.

Example:
    ```python
    class TestMyStore(CheckpointStoreConformance):
        def make_store(self, tmp_path):
            return MyStore(tmp_path)
    ```
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import pytest

from poptune._base.types import CheckpointId
from poptune._keeping.checkpoints import Checkpoint
from poptune.errors import CheckpointError, ConfigurationError, UntrustedCheckpointError

if TYPE_CHECKING:
    from poptune._keeping.checkpoints import CheckpointStore

FOLDER = "checkpoints/train_69158_00000"


class _Unpicklable:
    def __reduce__(self) -> NoReturn:
        raise TypeError("cannot be pickled")


class CheckpointStoreConformance(ABC):
    """Subclass it as ``Test...`` and say how a store is made."""

    @abstractmethod
    def make_store(self, tmp_path: Path) -> CheckpointStore:
        """An empty store. It may keep its files in the folder `tmp_path`, which exists."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> CheckpointStore:
        """The store under test."""
        return self.make_store(tmp_path)

    def test_a_saved_dict_is_read_as_it_was(self, store: CheckpointStore) -> None:
        stored = store.save(
            Checkpoint.from_dict({"step": 3, "weights": np.arange(5.0)}), folder=FOLDER, number=1
        )
        data = store.open(stored.relative_path).to_dict()
        assert {**data, "weights": None} == {"step": 3, "weights": None}
        assert np.array_equal(data["weights"], np.arange(5.0))

    def test_a_saved_folder_is_read_as_it_was(self, store: CheckpointStore, tmp_path: Path) -> None:
        source = tmp_path / "source"
        (source / "nested").mkdir(parents=True)
        (source / "nested" / "weights.bin").write_bytes(b"weights")
        stored = store.save(Checkpoint.from_directory(source), folder=FOLDER, number=1)
        assert store.open(stored.relative_path).to_dict() == {"nested/weights.bin": b"weights"}

    def test_saving_is_a_snapshot(self, store: CheckpointStore) -> None:
        weights = np.zeros(4)
        stored = store.save(Checkpoint.from_dict({"w": weights}), folder=FOLDER, number=1)
        weights += 1
        assert not store.open(stored.relative_path).to_dict()["w"].any()

    def test_writing_into_what_was_read_changes_nothing(self, store: CheckpointStore) -> None:
        stored = store.save(Checkpoint.from_dict({"w": np.zeros(4)}), folder=FOLDER, number=1)
        store.open(stored.relative_path).to_dict()["w"][:] = 1
        assert not store.open(stored.relative_path).to_dict()["w"].any()

    def test_saves_of_different_trials_and_numbers_stay_apart(self, store: CheckpointStore) -> None:
        places = [
            (folder, number) for folder in ("checkpoints/trial_a", "checkpoints/trial_b") for number in (1, 2)
        ]
        stored = {
            place: store.save(Checkpoint.from_dict({"place": place}), folder=place[0], number=place[1])
            for place in places
        }
        for place, checkpoint in stored.items():
            assert checkpoint.number == place[1]
            assert store.open(checkpoint.relative_path).to_dict() == {"place": place}

    def test_a_leftover_of_the_same_number_is_replaced(self, store: CheckpointStore) -> None:
        store.save(Checkpoint.from_dict({"try": 1, "w": np.ones(2)}), folder=FOLDER, number=1)
        stored = store.save(Checkpoint.from_dict({"try": 2}), folder=FOLDER, number=1)
        assert store.open(stored.relative_path).to_dict() == {"try": 2}

    def test_a_save_that_fails_leaves_nothing(self, store: CheckpointStore) -> None:
        with pytest.raises(CheckpointError, match="lock"):
            store.save(Checkpoint.from_dict({"lock": _Unpicklable()}), folder=FOLDER, number=1)
        assert store.sweep(known=()) == []

    def test_a_stored_checkpoint_can_be_saved_again(self, store: CheckpointStore) -> None:
        stored = store.save(Checkpoint.from_dict({"w": np.ones(2)}), folder="checkpoints/donor", number=1)
        copied = store.save(store.open(stored.relative_path), folder="checkpoints/recipient", number=7)
        store.delete(stored.relative_path)
        assert store.open(copied.relative_path).to_dict()["w"].tolist() == [1.0, 1.0]

    def test_the_size_is_that_of_the_content(self, store: CheckpointStore) -> None:
        stored = store.save(Checkpoint.from_dict({"w": np.zeros(1000)}), folder=FOLDER, number=1)
        assert stored.size_bytes >= np.zeros(1000).nbytes

    def test_pickled_objects_are_opened_only_for_those_who_trust_them(self, store: CheckpointStore) -> None:
        checkpoint = Checkpoint.from_dict({"where": Path("data")})
        stored = store.save(checkpoint, folder=FOLDER, number=1)
        with pytest.raises(UntrustedCheckpointError, match="where"):
            store.open(stored.relative_path).to_dict()
        assert store.open(stored.relative_path, trusted=True).to_dict() == {"where": Path("data")}

    def test_an_opened_checkpoint_knows_its_id(self, store: CheckpointStore) -> None:
        stored = store.save(Checkpoint.from_dict({}), folder=FOLDER, number=1)
        name = CheckpointId("69158_00000/checkpoint_000001")
        assert store.open(stored.relative_path, checkpoint_id=name).id == name

    def test_a_deleted_checkpoint_is_gone(self, store: CheckpointStore) -> None:
        stored = store.save(Checkpoint.from_dict({"step": 3}), folder=FOLDER, number=1)
        opened = store.open(stored.relative_path)
        store.delete(stored.relative_path)
        with pytest.raises(CheckpointError, match="deleted"):
            opened.to_dict()
        with pytest.raises(CheckpointError, match="deleted"):
            store.open(stored.relative_path)

    def test_deleting_twice_is_no_error(self, store: CheckpointStore) -> None:
        stored = store.save(Checkpoint.from_dict({"step": 3}), folder=FOLDER, number=1)
        store.delete(stored.relative_path)
        store.delete(stored.relative_path)

    def test_what_was_read_outlives_the_checkpoint(self, store: CheckpointStore) -> None:
        stored = store.save(Checkpoint.from_dict({"w": np.ones(9999)}), folder=FOLDER, number=1)
        data = store.open(stored.relative_path).to_dict()
        store.delete(stored.relative_path)
        assert data["w"].all()

    @pytest.mark.parametrize(
        "path",
        [
            "../checkpoint_000001",
            "/checkpoint_000001",
            "/etc/checkpoint_000001",
            "..",
            ".",
            "",
            "a",
        ],
    )
    def test_paths_outside_the_store_are_refused(self, store: CheckpointStore, path: str) -> None:
        for refuse in (store.open, store.delete, store.sync):
            with pytest.raises(ConfigurationError):
                refuse(path)

    @pytest.mark.parametrize("folder", ["..", ".", "", "/etc", "a/b"])
    def test_folders_outside_the_store_are_refused(self, store: CheckpointStore, folder: str) -> None:
        with pytest.raises(ConfigurationError):
            store.save(Checkpoint.from_dict({}), folder=folder, number=1)

    def test_a_synced_checkpoint_is_still_whole(self, store: CheckpointStore) -> None:
        stored = store.save(Checkpoint.from_dict({"step": 3}), folder=FOLDER, number=1)
        store.sync(stored.relative_path)
        assert store.open(stored.relative_path).to_dict() == {"step": 3}

    def test_a_sweep_removes_what_is_not_known(self, store: CheckpointStore) -> None:
        kept, lost = (store.save(Checkpoint.from_dict({"step": n}), folder=FOLDER, number=n) for n in (1, 2))
        assert store.sweep(known=[kept.relative_path]) == [lost.relative_path]
        assert store.open(kept.relative_path).to_dict() == {"step": 1}
        with pytest.raises(CheckpointError):
            store.open(lost.relative_path)
