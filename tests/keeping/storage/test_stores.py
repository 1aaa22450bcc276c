import uuid
from pathlib import Path

import numpy as np
import pytest

from poptune._keeping.checkpoints import Checkpoint, CheckpointStore, DirectoryStore
from poptune._keeping.storage import FetchingStore, RemoteError, UploadingStore, open_store
from poptune._keeping.storage.transfers import delete_checkpoint, download_checkpoint, upload_checkpoint
from poptune.errors import CheckpointError, CorruptCheckpointError
from poptune.testing.checkpoint_stores import CheckpointStoreConformance

PATH = "checkpoints/trial/checkpoint_000001"
MANIFEST = f"{PATH}/.poptune_manifest.json"


class TestFetchingStore(CheckpointStoreConformance):
    def make_store(self, tmp_path: Path) -> CheckpointStore:
        return open_store(tmp_path / "experiment", f"memory://{uuid.uuid4().hex}")


class TestUploadingStore(CheckpointStoreConformance):
    def make_store(self, tmp_path: Path) -> CheckpointStore:
        return open_store(tmp_path / "experiment", f"memory://{uuid.uuid4().hex}", uploads=True)


def test_an_experiment_without_a_remote_folder_has_a_plain_store(tmp_path):
    assert isinstance(open_store(tmp_path), DirectoryStore)
    assert isinstance(open_store(tmp_path, "memory://x"), FetchingStore)
    assert isinstance(open_store(tmp_path, "memory://x", uploads=True), UploadingStore)


def saved(store, number=1):
    state = Checkpoint.from_dict({"number": number, "w": np.arange(3.0)})
    return store.save(state, folder="checkpoints/trial", number=number).relative_path


def test_what_was_uploaded_here_is_opened_on_another_machine(tmp_path, url):
    path = saved(open_store(tmp_path / "here", url, uploads=True))
    opened = open_store(tmp_path / "elsewhere", url).open(path)
    assert opened.to_dict()["w"].tolist() == [0.0, 1.0, 2.0]
    assert (tmp_path / "elsewhere" / PATH).is_dir()


def test_a_folder_of_files_comes_back_as_it_was(tmp_path, url):
    source = tmp_path / "source"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "deep" / "er" / "file").write_bytes(b"1")
    (source / "deep" / "other").write_bytes(b"")
    open_store(tmp_path / "here", url, uploads=True).save(
        Checkpoint.from_directory(source), folder="checkpoints/trial", number=1
    )
    found = open_store(tmp_path / "elsewhere", url).open(PATH).to_dict()
    assert found == {"deep/er/file": b"1", "deep/other": b""}


class Broken:
    """A remote folder whose operations fail from one on; notes what was done."""

    def __init__(self, remote, after):
        self._remote, self._left = remote, after
        self.url = remote.url
        self.done = []

    def __getattr__(self, operation):
        act = getattr(self._remote, operation)

        def attempt(*arguments):
            if self._left == 0:
                raise RemoteError("down", lasts=True)
            self._left -= 1
            self.done.append((operation, *arguments))
            return act(*arguments)

        return attempt


@pytest.mark.parametrize("after", range(3))
def test_an_upload_that_breaks_off_leaves_no_checkpoint(tmp_path, remote, after):
    saved(DirectoryStore(tmp_path / "here"))
    with pytest.raises(RemoteError):
        upload_checkpoint(Broken(remote, after), tmp_path / "here", PATH)
    with pytest.raises(CorruptCheckpointError):
        download_checkpoint(remote, tmp_path / "elsewhere", PATH)
    upload_checkpoint(remote, tmp_path / "here", PATH)
    download_checkpoint(remote, tmp_path / "elsewhere", PATH)
    DirectoryStore(tmp_path / "elsewhere").open(PATH).verify()


def test_the_manifest_is_the_last_to_come_and_the_first_to_go(tmp_path, remote):
    saved(DirectoryStore(tmp_path))
    watched = Broken(remote, after=-1)
    upload_checkpoint(watched, tmp_path, PATH)
    assert watched.done[-1][:2] == ("write", MANIFEST)
    watched.done.clear()
    delete_checkpoint(watched, PATH)
    assert watched.done[0] == ("delete", MANIFEST)
    assert not remote.sizes()


def test_what_is_there_already_is_not_uploaded_again(tmp_path, remote):
    saved(DirectoryStore(tmp_path))
    upload_checkpoint(remote, tmp_path, PATH)
    watched = Broken(remote, after=-1)
    upload_checkpoint(watched, tmp_path, PATH)
    assert watched.done == [("read", MANIFEST)]


def test_a_leftover_of_the_same_number_is_never_mixed_with_its_successor(tmp_path, remote):
    saved(DirectoryStore(tmp_path / "before"))
    upload_checkpoint(remote, tmp_path / "before", PATH)
    DirectoryStore(tmp_path / "after").save(
        Checkpoint.from_dict({"other": 1}), folder="checkpoints/trial", number=1
    )
    watched = Broken(remote, after=2)
    with pytest.raises(RemoteError):
        upload_checkpoint(watched, tmp_path / "after", PATH)
    assert watched.done[1] == ("delete", MANIFEST)
    upload_checkpoint(remote, tmp_path / "after", PATH)
    download_checkpoint(remote, tmp_path / "elsewhere", PATH)
    assert DirectoryStore(tmp_path / "elsewhere").open(PATH).to_dict() == {"other": 1}


def test_a_download_that_breaks_off_leaves_nothing(tmp_path, remote):
    saved(DirectoryStore(tmp_path / "here"))
    upload_checkpoint(remote, tmp_path / "here", PATH)
    for after in range(2):
        with pytest.raises(RemoteError):
            download_checkpoint(Broken(remote, after), tmp_path / "elsewhere", PATH)
        assert not list((tmp_path / "elsewhere" / "checkpoints/trial").iterdir())


@pytest.mark.parametrize("name", ["../../stolen", "/stolen", "a/../../../stolen"])
def test_a_manifest_that_names_files_elsewhere_is_refused(tmp_path, remote, name):
    manifest = (
        '{"format": "poptune-checkpoint", "version": 2, "kind": "directory", '
        f'"files": {{"{name}": {{"crc32": 0, "size_bytes": 1}}}}}}'
    )
    remote.write(MANIFEST, manifest.encode())
    with pytest.raises(CorruptCheckpointError):
        open_store(tmp_path / "a" / "b", remote.url).open(PATH)
    assert not list(tmp_path.rglob("stolen"))


def test_a_checkpoint_that_is_nowhere_is_an_error_that_says_where_it_should_be(tmp_path, url):
    with pytest.raises(CorruptCheckpointError, match=f"{url}/{PATH} must be there.*deleted"):
        open_store(tmp_path, url).open(PATH)


def test_a_worker_elsewhere_that_cannot_upload_keeps_no_checkpoint_that_nobody_else_can_see(tmp_path, remote):
    store = UploadingStore(tmp_path, Broken(remote, 0), patience_s=0)
    with pytest.raises(CheckpointError, match="cannot be uploaded"):
        saved(store)
    assert not (tmp_path / PATH).exists()


def damage(root):
    state = root / PATH / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-1] + b"?")


@pytest.fixture
def mirrored(tmp_path, url, remote):
    """A store with a checkpoint that was uploaded, and is damaged here since."""
    store = FetchingStore(tmp_path, lambda: remote)
    saved(store)
    upload_checkpoint(remote, tmp_path, PATH)
    damage(tmp_path)
    return store


def test_a_damaged_checkpoint_is_mended_from_its_whole_copy(mirrored, tmp_path):
    with pytest.raises(CorruptCheckpointError):
        mirrored.open(PATH).verify()
    assert mirrored.mend(PATH)
    mirrored.open(PATH).verify()
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoints"]


@pytest.mark.parametrize("left", [b"", None])
def test_a_checkpoint_whose_manifest_is_torn_or_gone_is_mended_too(mirrored, tmp_path, left):
    manifest = tmp_path / MANIFEST
    if left is None:
        manifest.unlink()
    else:
        manifest.write_bytes(left)
    assert mirrored.mend(PATH)
    mirrored.open(PATH).verify()


def test_a_checkpoint_that_is_not_there_whole_is_not_mended(mirrored, tmp_path, remote):
    remote.write(f"{PATH}/state.safetensors", b"another")
    assert not mirrored.mend(PATH)
    delete_checkpoint(remote, PATH)
    assert not mirrored.mend(PATH)
    assert (tmp_path / PATH).is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoints"]


def test_a_copy_of_another_save_mends_nothing(mirrored, tmp_path, remote):
    saved(DirectoryStore(tmp_path), number=1)
    other = Checkpoint.from_dict({"number": 2})
    DirectoryStore(tmp_path).save(other, folder="checkpoints/trial", number=1)
    damage(tmp_path)
    assert not mirrored.mend(PATH)
