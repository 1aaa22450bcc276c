import pickle

import numpy as np
import pytest

from poptune._training.object_store import StorableParts
from poptune._training.shared import split


def test_arrays_are_taken_out_and_put_back_without_a_copy():
    array = np.arange(4.0)
    parts = StorableParts.of(split({"data": [array, "text"], "again": array}))
    assert len(parts.leaves) == 1
    joined = parts.joined()
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
    parts = StorableParts.of(split([plain, trained, half]))
    assert len(parts.tensors) == 1
    sent = StorableParts(parts.body, pickle.loads(pickle.dumps(dict(parts.leaves))), parts.tensors)
    for leaf in sent.leaves.values():
        if isinstance(leaf, np.ndarray):
            leaf.setflags(write=False)  # as those of an object store are
    back = sent.joined()
    for one, other in zip([plain, trained, half], back, strict=True):
        assert torch.equal(one, other)
        assert one.dtype == other.dtype
    assert back[1].requires_grad
