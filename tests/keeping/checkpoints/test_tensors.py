from __future__ import annotations

import copy
import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
from hypothesis import given
from hypothesis import strategies as st

from poptune._keeping.checkpoints.codec import OBJECTS_NAME, STATE_NAME, read_dict, write_dict
from poptune.errors import CheckpointError, UntrustedCheckpointError

torch = pytest.importorskip("torch")

DTYPES = (
    *("bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64"),
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
    *("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e8m0fnu"),
)


def round_trip(data, folder: Path, *, trusted: bool = False):
    return read_dict(folder, write_dict(data, folder), trusted=trusted)


def bits(tensor) -> bytes:
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def make(dtype: str, shape: tuple[int, ...]):
    size = int(np.prod(shape)) * torch.empty(0, dtype=getattr(torch, dtype)).element_size()
    raw = torch.arange(size, dtype=torch.uint8)
    if dtype == "bool":
        raw = raw % 2
    if not raw.numel():
        return torch.empty(shape, dtype=getattr(torch, dtype))
    return raw.view(getattr(torch, dtype)).reshape(shape)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (7,), (2, 3)], ids=str)
def test_tensors_of_every_dtype_come_back_as_they_were(
    tmp_path: Path, dtype: str, shape: tuple[int, ...]
) -> None:
    if not hasattr(torch, dtype):
        pytest.skip(f"this torch has no {dtype}")
    tensor = make(dtype, shape)
    back = round_trip({"t": tensor}, tmp_path)["t"]
    assert (type(back), back.dtype, back.shape) == (torch.Tensor, tensor.dtype, tensor.shape)
    assert back.stride() == tensor.stride()
    assert bits(back) == bits(tensor)


def test_parameters_and_requires_grad_come_back(tmp_path: Path) -> None:
    data = {
        "free": torch.nn.Parameter(torch.ones(2)),
        "frozen": torch.nn.Parameter(torch.ones(2), requires_grad=False),
        "leaf": torch.ones(2, requires_grad=True),
        "inner": torch.ones(2, requires_grad=True) * 2,
        "plain": torch.ones(2),
    }
    back = round_trip(data, tmp_path)
    assert [type(t) for t in back.values()] == [type(t) for t in data.values()]
    assert [t.requires_grad for t in back.values()] == [t.requires_grad for t in data.values()]
    assert all(t.is_leaf for t in back.values())


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (8, 1, 3, 3), (1, 3, 2, 2), (4, 2, 1, 1)], ids=str)
def test_channels_last_keeps_its_strides(tmp_path: Path, shape: tuple[int, ...]) -> None:
    tensor = torch.randn(shape).to(memory_format=torch.channels_last)
    back = round_trip({"t": tensor}, tmp_path)["t"]
    assert torch.equal(back, tensor)
    assert back.is_contiguous(memory_format=torch.channels_last)
    assert [s for s, n in zip(back.stride(), shape, strict=True) if n > 1] == [
        s for s, n in zip(tensor.stride(), shape, strict=True) if n > 1
    ]


@given(st.permutations(range(4)), st.lists(st.integers(1, 4), min_size=4, max_size=4))
def test_any_permutation_keeps_its_strides(tmp_path_factory, axes, shape) -> None:
    tensor = torch.arange(int(np.prod(shape))).reshape(shape).permute(axes)
    back = round_trip({"t": tensor}, tmp_path_factory.mktemp("checkpoint"))["t"]
    assert torch.equal(back, tensor)
    for stride, expected, length in zip(back.stride(), tensor.stride(), tensor.shape, strict=True):
        assert stride == expected or length == 1


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(10)[::2],
        torch.arange(3).expand(4, 3),
        torch.arange(24).reshape(4, 6)[1:3, 2:4],
        torch.arange(24).reshape(4, 6)[:, :1],
        torch.arange(2)[1::2],
        torch.tensor([1 + 2j]).conj(),
        torch.tensor([1 + 2j]).conj().imag,
    ],
    ids=["strided", "expanded", "block", "column", "single", "conjugate", "negated"],
)
def test_views_that_are_not_dense_come_back_equal(tmp_path: Path, tensor) -> None:
    back = round_trip({"t": tensor}, tmp_path)["t"]
    assert torch.equal(back, tensor)
    assert back.is_contiguous()


def test_a_conjugate_view_is_not_mistaken_for_its_base(tmp_path: Path) -> None:
    base = torch.tensor([1 + 2j])
    back = round_trip({"base": base, "conj": base.conj()}, tmp_path)
    assert torch.equal(back["base"], base)
    assert torch.equal(back["conj"], base.conj())


def test_tied_weights_stay_tied(tmp_path: Path) -> None:
    model = torch.nn.ModuleDict({"embed": torch.nn.Embedding(5, 3), "head": torch.nn.Linear(3, 5)})
    model["head"].weight = model["embed"].weight
    back = round_trip({"model": model.state_dict()}, tmp_path)["model"]
    back["embed.weight"][0, 0] = 7.0
    assert back["head.weight"][0, 0] == 7.0
    assert back["head.weight"].data_ptr() == back["embed.weight"].data_ptr()
    assert back["head.bias"].data_ptr() != back["embed.weight"].data_ptr()


def test_equal_weights_that_are_not_tied_stay_apart(tmp_path: Path) -> None:
    back = round_trip({"a": torch.ones(3), "b": torch.ones(3)}, tmp_path)
    back["a"][0] = 7.0
    assert back["b"][0] == 1.0


def test_safetensors_reads_the_tensors(tmp_path: Path) -> None:
    data = {"a": torch.randn(3).bfloat16(), "b": {"c": torch.randn(2, 2)}}
    write_dict(data, tmp_path)
    read = safetensors.torch.load_file(tmp_path / STATE_NAME)
    assert torch.equal(read["a"], data["a"])
    assert torch.equal(read["b.c"], data["b"]["c"])


@pytest.mark.slow
@pytest.mark.parametrize("make_state", [torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD])
def test_training_goes_on_bitwise_as_if_it_had_not_stopped(tmp_path: Path, make_state) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 2), torch.nn.BatchNorm2d(3)).to(
        memory_format=torch.channels_last
    )
    optimizer = make_state(model.parameters(), lr=0.1)
    inputs = torch.randn(4, 2, 1, 5, 5)

    def train(model, optimizer, batches) -> None:
        for batch in batches:
            optimizer.zero_grad()
            model(batch).square().sum().backward()
            optimizer.step()

    train(model, optimizer, inputs[:2])
    data = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": 2}
    manifest = write_dict(data, tmp_path)
    before = (tmp_path / STATE_NAME).read_bytes()
    train(model, optimizer, inputs[2:])

    other = copy.deepcopy(model)
    other_optimizer = make_state(other.parameters(), lr=0.5)
    saved = read_dict(tmp_path, manifest, trusted=False)
    other.load_state_dict(saved["model"])
    other_optimizer.load_state_dict(saved["optimizer"])
    train(other, other_optimizer, inputs[2:])

    for ours, theirs in zip(other.parameters(), model.parameters(), strict=True):
        assert bits(ours) == bits(theirs)
    assert saved["model"]._metadata == model.state_dict()._metadata
    assert (tmp_path / STATE_NAME).read_bytes() == before


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_tensors_on_a_gpu_come_back_on_the_cpu(tmp_path: Path) -> None:
    weights = torch.randn(2, 3, 4, 4, device="cuda").to(memory_format=torch.channels_last)
    back = round_trip({"a": weights, "tied": weights}, tmp_path)
    assert back["a"].device.type == "cpu"
    assert torch.equal(back["a"], weights.cpu())
    assert back["a"].data_ptr() == back["tied"].data_ptr()


def test_writing_into_loaded_tensors_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    manifest = write_dict({"t": torch.zeros(10_000)}, tmp_path)
    before = (tmp_path / STATE_NAME).read_bytes()
    read_dict(tmp_path, manifest, trusted=False)["t"].fill_(1)
    assert (tmp_path / STATE_NAME).read_bytes() == before
    assert not read_dict(tmp_path, manifest, trusted=False)["t"].any()


@pytest.mark.parametrize(
    "value",
    [torch.eye(2).to_sparse(), torch.float32, torch.device("cpu"), torch.Size([2])],
    ids=["sparse", "dtype", "device", "size"],
)
def test_what_is_no_plain_tensor_is_pickled(tmp_path: Path, value) -> None:
    with pytest.raises(UntrustedCheckpointError, match="inner"):
        round_trip({"inner": value}, tmp_path)


def test_a_sparse_tensor_comes_back_sparse(tmp_path: Path) -> None:
    sparse = torch.eye(2).to_sparse()
    back = round_trip({"t": sparse}, tmp_path, trusted=True)["t"]
    assert torch.equal(back.to_dense(), sparse.to_dense())
    assert (tmp_path / OBJECTS_NAME).exists()


def without(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    real = importlib.import_module

    def import_module(name: str, package: str | None = None):
        if name in names:
            raise ImportError(name)
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", import_module)


def test_without_torch_tensors_come_back_as_arrays(tmp_path: Path, monkeypatch) -> None:
    tensor = torch.arange(24.0).reshape(1, 2, 3, 4).to(memory_format=torch.channels_last)
    manifest = write_dict({"t": tensor, "c": torch.tensor([1j])}, tmp_path)
    without(monkeypatch, "torch")
    back = read_dict(tmp_path, manifest, trusted=False)
    assert np.array_equal(back["t"], tensor.numpy())
    assert back["c"].dtype == np.complex64


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e5m2"])
def test_without_torch_a_dtype_that_numpy_lacks_says_what_to_install(
    tmp_path: Path, monkeypatch, dtype: str
) -> None:
    manifest = write_dict({"t": torch.ones(2).to(getattr(torch, dtype))}, tmp_path)
    without(monkeypatch, "torch", "ml_dtypes")
    with pytest.raises(CheckpointError, match=f"{dtype}.*install torch"):
        read_dict(tmp_path, manifest, trusted=False)


def test_neither_importing_nor_saving_arrays_imports_torch(tmp_path: Path) -> None:
    code = f"""
import sys, pathlib, poptune._keeping.checkpoints
assert "numpy" not in sys.modules
import numpy as np
poptune._keeping.checkpoints.DirectoryStore(pathlib.Path({str(tmp_path)!r})).save(
    poptune._keeping.checkpoints.Checkpoint.from_dict({{"a": np.ones(2)}}), folder="t", number=1)
assert not {{"torch", "jax", "pandas"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
