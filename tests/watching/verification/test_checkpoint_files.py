"""The checkpoints that a journal names are looked at, and nothing in them is opened."""

from pathlib import Path

import numpy as np
import pytest

from poptune._base.types import CheckpointId, TrialId
from poptune._core.scheduler import CheckpointRef
from poptune._keeping.checkpoints import Checkpoint, DirectoryStore
from poptune._watching.verification import check_states


class Explosive:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def ref(number):
    return CheckpointRef(
        id=CheckpointId(f"t/checkpoint_{number:06d}"),
        trial=TrialId("t"),
        path=f"t/checkpoint_{number:06d}",
        number=number,
        iteration=number,
        age=float(number),
        time_total_s=0.0,
        score=None,
        report=number,
    )


@pytest.fixture
def root(tmp_path):
    store = DirectoryStore(tmp_path)
    state = {"weights": np.arange(1000.0), "bomb": Explosive(tmp_path / "mark")}
    store.save(Checkpoint.from_dict(state), folder="t", number=1)
    (tmp_path / "mine" / "deep").mkdir(parents=True)
    (tmp_path / "mine" / "deep" / "file").write_text("text")
    store.save(Checkpoint.from_directory(tmp_path / "mine"), folder="t", number=2)
    return tmp_path


def test_whole_checkpoints_are_whole_and_no_code_of_theirs_runs(root):
    assert check_states(root, [ref(1), ref(2)]) == []
    assert not (root / "mark").exists()


@pytest.mark.parametrize(
    ("number", "name"),
    [(1, "state.safetensors"), (1, "objects.pkl"), (2, "deep/file")],
)
def test_a_flipped_bit_a_lost_byte_and_a_lost_file_are_found(root, number, name):
    path = root / f"t/checkpoint_{number:06d}" / name
    content = path.read_bytes()
    for damaged in (bytes([content[0] ^ 1]) + content[1:], content[:-1], None):
        path.unlink()
        if damaged is not None:
            path.write_bytes(damaged)
        (broken,) = check_states(root, [ref(1), ref(2)])
        assert broken.checkpoint == ref(number).id
        assert name in str(broken)
        path.write_bytes(content)
    assert check_states(root, [ref(1), ref(2)]) == []


def test_a_checkpoint_that_is_gone_is_found(root):
    (broken,) = check_states(root, [ref(1), ref(3)])
    assert broken.checkpoint == "t/checkpoint_000003"
    assert "has been deleted" in broken.problem
