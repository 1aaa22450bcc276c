import pickle

import numpy as np
import pytest

from poptune.runtime.pieces import Pieces
from poptune.runtime.shared import split


def test_arrays_are_taken_out_and_put_back_without_a_copy():
    array = np.arange(4.0)
    pieces = Pieces.of(split({"data": [array, "text"], "again": array}))
    assert len(pieces.leaves) == 1
    joined = pieces.joined()
    assert joined["data"][1] == "text"
    assert np.shares_memory(joined["data"][0], array)
    assert joined["again"] is joined["data"][0]


def test_tensors_travel_as_arrays_where_there_are_such_arrays():
    torch = pytest.importorskip("torch")
    plain, trained, half = (
        torch.ones(3),
        torch.ones(3, requires_grad=True),
        torch.ones(3, dtype=torch.bfloat16),
    )
    pieces = Pieces.of(split([plain, trained, half]))
    assert len(pieces.tensors) == 1
    sent = Pieces(pieces.body, pickle.loads(pickle.dumps(dict(pieces.leaves))), pieces.tensors)
    for leaf in sent.leaves.values():
        if isinstance(leaf, np.ndarray):
            leaf.setflags(write=False)  # as those of an object store are
    back = sent.joined()
    for one, other in zip([plain, trained, half], back, strict=True):
        assert torch.equal(one, other)
        assert one.dtype == other.dtype
    assert back[1].requires_grad
