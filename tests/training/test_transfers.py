import numpy as np
import pytest

from poptune._keeping.checkpoints import Checkpoint, DirectoryStore
from poptune._training.transfers import ReceivingStates, pack, unpack
from poptune.errors import CheckpointError, PoptuneWarning

PATH = "trial/checkpoint_000001"


@pytest.fixture
def store(tmp_path):
    store = DirectoryStore(tmp_path)
    store.save(Checkpoint.from_dict({"weights": np.arange(5.0), "step": 3}), folder="trial", number=1)
    return store


def states(store, fetch, sent=None):
    return ReceivingStates(store, fetch, {PATH: "reference"} if sent is None else sent)


def test_a_checkpoint_arrives_as_it_was_and_is_ours_to_change(tmp_path, store):
    files = pack(tmp_path / PATH, limit_bytes=1e6)
    for content in files.values():
        assert not content.flags.writeable, "it is a view of the file, or of an object store"
    store.delete(PATH)
    there = states(store, lambda reference: files)
    checkpoint = there.open(PATH, trusted=True)
    checkpoint.verify()
    weights = checkpoint.to_dict()["weights"]
    weights += 1
    assert list(weights) == [1, 2, 3, 4, 5]
    assert list(there.open(PATH).to_dict()["weights"]) == [0, 1, 2, 3, 4], "it can be opened again"


def test_a_folder_travels_with_its_subfolders_and_empty_files(tmp_path):
    (tmp_path / "mine" / "deep").mkdir(parents=True)
    (tmp_path / "mine" / "empty").touch()
    (tmp_path / "mine" / "deep" / "file").write_bytes(b"content")
    laid_out = unpack(pack(tmp_path / "mine", limit_bytes=1e6))
    assert (laid_out / "deep" / "file").read_bytes() == b"content"
    assert (laid_out / "empty").read_bytes() == b""


def test_what_is_lost_on_the_way_is_read_from_the_store_with_one_warning(store):
    def fetch(reference):
        raise ConnectionError("its owner is dead")

    there = states(store, fetch, sent := {PATH: "reference"})
    with pytest.warns(PoptuneWarning, match=r"from storage instead.*its owner is dead"):
        assert there.open(PATH).to_dict()["step"] == 3
    sent[PATH] = "another"
    assert there.open(PATH).to_dict()["step"] == 3


def test_what_was_not_sent_is_read_from_the_store(store):
    there = states(store, lambda reference: {}, sent={})
    assert there.open(PATH).to_dict()["step"] == 3
    there.save(Checkpoint.from_dict({"step": 4}), folder="trial", number=2)
    assert there.open("trial/checkpoint_000002").to_dict()["step"] == 4
    with pytest.raises(CheckpointError):
        there.open("trial/checkpoint_000003").to_dict()


def test_what_is_larger_than_an_object_store_likes_is_not_packed(tmp_path, store):
    with pytest.raises(OSError, match="half of an object store"):
        pack(tmp_path / PATH, limit_bytes=10)
