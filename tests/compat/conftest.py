"""What the tests of the mirror share: a home of their own, and a run that takes no time."""

import logging
import struct

import numpy as np
import pytest

import poptune


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Keep ``~/ray_results``, where scripts of Ray leave their results, out of the real home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def inline(home):
    """The native config of a run within the test's own process."""

    def make(**changes):
        return poptune.RunConfig(storage_path=home / "ray_results", executor="inline", verbose=0, **changes)

    return make


@pytest.fixture
def log(caplog):
    """Return the lines that the mirror has logged since the last call."""
    caplog.set_level(logging.INFO, logger="poptune.compat.ray")

    def lines():
        found = [record.getMessage() for record in caplog.records if record.name == "poptune.compat.ray"]
        caplog.clear()
        return found

    return lines


@pytest.fixture
def small_mnist(tmp_path, monkeypatch):
    """Ten kinds of pictures that are easy to tell apart, in the place of MNIST."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "mnist"
    folder.mkdir()
    for part, count in (("train", 640), ("t10k", 320)):
        labels = rng.integers(10, size=count).astype(np.uint8)
        images = rng.integers(80, size=(count, 28, 28)).astype(np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[4 + 4 * (label // 2) : 8 + 4 * (label // 2), 14 * (label % 2) : 14 + 14 * (label % 2)] = 255
        head = struct.pack(">4I", 0x803, count, 28, 28)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(head + images.tobytes())
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(
            struct.pack(">2I", 0x801, count) + labels.tobytes()
        )
    monkeypatch.setenv("POPTUNE_MNIST", str(folder))
    return folder
