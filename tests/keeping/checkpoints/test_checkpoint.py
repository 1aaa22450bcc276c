from __future__ import annotations

import os
import pickle
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest

from poptune._base.types import CheckpointId
from poptune._keeping.checkpoints import Checkpoint, DirectoryStore
from poptune._keeping.checkpoints.manifest import MANIFEST_NAME
from poptune.errors import (
    CheckpointError,
    ConfigurationError,
    CorruptCheckpointError,
    UntrustedCheckpointError,
)


def contents(folder: str | Path) -> dict[str, bytes]:
    root = Path(folder)
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "weights.bin").write_bytes(b"weights")
    (folder / "config.json").write_bytes(b"{}")
    return folder


@pytest.fixture
def stored_folder(source: Path, tmp_path: Path) -> Checkpoint:
    return stored(Checkpoint.from_directory(source), tmp_path)


def stored(checkpoint: Checkpoint, tmp_path: Path, **options) -> Checkpoint:
    store = DirectoryStore(tmp_path / "experiment")
    path = store.save(checkpoint, folder="checkpoints/trial", number=1).relative_path
    return store.open(path, **options)


def test_a_dict_in_memory_is_given_back_as_it_is() -> None:
    value = object()
    data = {"value": value}
    checkpoint = Checkpoint.from_dict(data)
    assert checkpoint.to_dict() == data
    assert checkpoint.to_dict()["value"] is value
    assert checkpoint.path is None


def test_what_is_done_to_the_dict_itself_does_not_reach_the_checkpoint() -> None:
    data = {"step": 1}
    checkpoint = Checkpoint.from_dict(data)
    data["step"] = 2
    checkpoint.to_dict()["step"] = 3
    assert checkpoint.to_dict() == {"step": 1}


@pytest.mark.parametrize("data", [[1], None, "x"])
def test_only_a_dict_is_a_dict(data) -> None:
    with pytest.raises(ConfigurationError, match=f"not a {type(data).__name__}"):
        Checkpoint.from_dict(data)


def test_only_an_existing_folder_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(ConfigurationError, match=path.name):
            Checkpoint.from_directory(path)


def test_a_folder_is_read_as_the_bytes_of_its_files(source: Path) -> None:
    expected = {"config.json": b"{}", "model/weights.bin": b"weights"}
    assert Checkpoint.from_directory(str(source)).to_dict() == expected


def test_a_folder_is_itself_without_a_copy(source: Path, stored_folder: Checkpoint) -> None:
    with Checkpoint.from_directory(source).as_directory() as folder:
        assert folder == str(source)
    with stored_folder.as_directory() as folder:
        assert folder == str(stored_folder.path)
    assert stored_folder.path
    assert stored_folder.path.is_dir()


def test_who_writes_into_the_stored_folder_is_told_at_once(stored_folder: Checkpoint, tmp_path: Path) -> None:
    with (
        pytest.raises(CheckpointError, match=r"config.json was changed in .*to_directory\(\)"),
        stored_folder.as_directory() as folder,
    ):
        Path(folder, "config.json").write_text("{}")
    with stored_folder.as_directory() as folder:
        Path(folder, "cache").write_text("beside it, which harms nobody")
    Path(stored_folder.to_directory(tmp_path / "copy"), "config.json").write_text("{}")  # the advice


def test_a_folder_that_holds_the_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CheckpointError, match="must not hold the place that it is copied to"):
        stored(Checkpoint.from_directory(tmp_path), tmp_path)
    with pytest.raises(CheckpointError, match="must not hold the place"):
        Checkpoint.from_directory(tmp_path).to_directory(tmp_path / "within")


def test_the_manifest_is_not_among_the_users_files(
    source: Path, stored_folder: Checkpoint, tmp_path: Path
) -> None:
    assert stored_folder.to_dict().keys() == {"config.json", "model/weights.bin"}
    assert contents(stored_folder.to_directory(tmp_path / "copy")) == contents(source)


def test_empty_folders_and_permissions_are_kept(source: Path, tmp_path: Path) -> None:
    (source / "assets").mkdir()
    (source / "config.json").chmod(0o740)
    copy = stored(Checkpoint.from_directory(source), tmp_path).to_directory()
    assert (copy / "assets").is_dir()
    assert stat.S_IMODE((copy / "config.json").stat().st_mode) == 0o740
    shutil.rmtree(copy)


def test_links_are_followed(source: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "big.bin").write_bytes(b"big")
    (source / "link").symlink_to(tmp_path / "elsewhere")
    (source / "file").symlink_to(tmp_path / "elsewhere" / "big.bin")
    checkpoint = stored(Checkpoint.from_directory(source), tmp_path)
    shutil.rmtree(tmp_path / "elsewhere")
    assert checkpoint.to_dict()["link/big.bin"] == checkpoint.to_dict()["file"] == b"big"
    assert checkpoint.path
    assert not any(path.is_symlink() for path in checkpoint.path.rglob("*"))


def test_a_link_to_a_folder_above_is_refused(source: Path, tmp_path: Path) -> None:
    (source / "model" / "loop").symlink_to(source)
    with pytest.raises(CheckpointError, match="loop"):
        stored(Checkpoint.from_directory(source), tmp_path)


def test_a_link_that_leads_nowhere_is_left_out(source: Path, tmp_path: Path) -> None:
    (source / "broken").symlink_to(source / "nowhere")
    kept = stored(Checkpoint.from_directory(source), tmp_path)
    assert "broken" not in kept.to_dict()


def test_what_is_neither_file_nor_folder_is_refused(source: Path, tmp_path: Path) -> None:
    os.mkfifo(source / "pipe")
    with pytest.raises(CheckpointError, match="pipe is neither"):
        stored(Checkpoint.from_directory(source), tmp_path)


@pytest.mark.parametrize("is_stored", [False, True])
def test_a_dict_survives_the_way_through_a_folder(tmp_path: Path, is_stored: bool) -> None:
    checkpoint = Checkpoint.from_dict({1: "one", "w": np.arange(3), "o": Path("x")})
    if is_stored:
        checkpoint = stored(checkpoint, tmp_path)
    with checkpoint.as_directory() as folder:
        assert type(folder) is str
        back = Checkpoint.from_directory(folder).to_dict(trusted=True)
        kept = Checkpoint.from_directory(folder).to_directory(tmp_path / "kept")
    assert not Path(folder).exists()
    assert back[1] == "one"
    assert back["w"].tolist() == [0, 1, 2]
    assert Checkpoint.from_directory(kept).to_dict(trusted=True)["o"] == Path("x")


def test_a_dicts_folder_with_another_file_in_it_is_a_folder(tmp_path: Path) -> None:
    folder = Checkpoint.from_dict({"step": 1}).to_directory(tmp_path / "folder")
    (folder / "notes.txt").write_bytes(b"good")
    assert Checkpoint.from_directory(folder).to_dict().keys() == {"notes.txt", "state.safetensors"}


def test_a_dict_replaces_the_one_that_was_in_the_folder(tmp_path: Path) -> None:
    Checkpoint.from_dict({"w": np.ones(2), "o": Path("x")}).to_directory(tmp_path)
    Checkpoint.from_dict({"step": 2}).to_directory(tmp_path)
    assert Checkpoint.from_directory(tmp_path).to_dict() == {"step": 2}


def test_files_replace_those_of_the_same_name(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "config.json").write_text("old")
    (target / "other").write_text("other")
    Checkpoint.from_directory(source).to_directory(target)
    assert contents(target) == {**contents(source), "other": b"other"}


def test_a_copy_onto_itself_changes_nothing(tmp_path: Path) -> None:
    folder = Checkpoint.from_dict({"step": 2}).to_directory(tmp_path)
    assert Checkpoint.from_directory(folder).to_directory(folder) == folder
    assert Checkpoint.from_directory(folder).to_dict() == {"step": 2}


def test_only_what_the_run_itself_wrote_is_trusted(tmp_path: Path) -> None:
    data = {"o": Path("x")}
    foreign = stored(Checkpoint.from_dict(data), tmp_path)
    with pytest.raises(UntrustedCheckpointError):
        foreign.to_dict()
    assert foreign.to_dict(trusted=True) == data
    assert stored(Checkpoint.from_dict(data), tmp_path, trusted=True).to_dict() == data


def test_a_deleted_checkpoint_says_so(source: Path, tmp_path: Path) -> None:
    for checkpoint in (
        stored(Checkpoint.from_dict({"w": np.ones(2)}), tmp_path / "a"),
        stored(Checkpoint.from_directory(source), tmp_path / "b"),
        Checkpoint.from_directory(source),
    ):
        assert checkpoint.path
        shutil.rmtree(checkpoint.path)
        for read in (checkpoint.to_dict, checkpoint.to_directory):
            with pytest.raises(CheckpointError, match="deleted"):
                read()
        with pytest.raises(CheckpointError, match="deleted"), checkpoint.as_directory():
            pass


@pytest.mark.parametrize("harm", ["change", "shorten", "remove"])
def test_a_harmed_file_is_corrupt_however_it_is_read(
    stored_folder: Checkpoint, harm: str, tmp_path: Path
) -> None:
    assert stored_folder.path
    file = stored_folder.path / "model" / "weights.bin"
    if harm == "remove":
        file.unlink()
    else:
        file.write_bytes(b"weighty" if harm == "change" else b"w")
    with pytest.raises(CorruptCheckpointError, match=r"model/weights\.bin"):
        stored_folder.to_dict()
    with pytest.raises(CorruptCheckpointError, match=r"model/weights\.bin"):
        stored_folder.to_directory(tmp_path / "copy")
    if harm != "change":  # opening a folder in place does not read it
        with pytest.raises(CorruptCheckpointError), stored_folder.as_directory():
            pass


def test_errors_inside_the_with_block_are_the_users(stored_folder: Checkpoint) -> None:
    with pytest.raises(FileNotFoundError), stored_folder.as_directory() as folder:
        Path(folder, "missing").read_bytes()


def test_a_folder_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="file"):
        Checkpoint.from_dict({"step": 1}).to_directory(tmp_path / "file" / "below")


def test_a_failed_folder_copy_leaves_no_temporary_folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    checkpoint = Checkpoint.from_dict({"f": (n for n in ())})
    with pytest.raises(CheckpointError), checkpoint.as_directory():
        pass
    with pytest.raises(CheckpointError):
        checkpoint.to_directory()
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_travels_between_processes(tmp_path: Path) -> None:
    for checkpoint in (
        Checkpoint.from_dict({"step": 1}),
        stored(Checkpoint.from_dict({"step": 1}), tmp_path),
    ):
        assert pickle.loads(pickle.dumps(checkpoint)).to_dict() == {"step": 1}


def test_a_checkpoint_says_briefly_what_it_is(source: Path, tmp_path: Path) -> None:
    assert repr(Checkpoint.from_dict({"step": 1, "w": 2})) == "<Checkpoint in memory: step, w>"
    assert repr(Checkpoint.from_directory(source)) == f"<Checkpoint {source}>"
    name = CheckpointId("69158_00000/checkpoint_000001")
    opened = stored(Checkpoint.from_dict({}), tmp_path, checkpoint_id=name)
    assert repr(opened) == f"<Checkpoint {name}>"
    assert opened.path
    assert (opened.path / MANIFEST_NAME).exists()
