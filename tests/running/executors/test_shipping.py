import functools
import importlib.util
import socket
import subprocess
import sys
import threading
from pathlib import Path

import cloudpickle
import numpy as np
import pytest

import poptune as tune
from poptune._running.executors.shipping import modules_used, ship, ship_config
from poptune._training.shared import discard, load, store
from poptune._training.trainable import prepare, with_parameters
from poptune.errors import ConfigurationError

LINE = None


def capturing_a_lock():
    lock = threading.Lock()

    def train(config):
        lock.acquire()

    return train


def reads_the_line():
    return LINE.fileno()


def train_on_a_line(config):
    return reads_the_line()


def train_with(config, data=None):
    return data


def a_class_on_a_line():
    class OnALine(tune.Trainable):
        def step(self):
            return {"x": reads_the_line()}

    return OnALine


@pytest.fixture
def line(monkeypatch):
    with socket.socket() as line:
        monkeypatch.setitem(globals(), "LINE", line)
        for function in (reads_the_line, train_on_a_line):
            monkeypatch.setattr(function, "__module__", "__main__")
        yield line


def test_a_captured_lock_is_named():
    with pytest.raises(ConfigurationError, match=r"train captures .*: 'lock', a lock .*cannot pickle"):
        ship(prepare(capturing_a_lock()))


@pytest.mark.parametrize("trainable", [train_on_a_line, a_class_on_a_line()])
def test_a_global_is_named_also_where_a_called_function_uses_it(line, trainable):
    with pytest.raises(ConfigurationError, match=r"captures .*: 'LINE', a socket"):
        ship(prepare(trainable))


def test_a_parameter_is_named():
    with pytest.raises(ConfigurationError, match="the parameter 'data', a lock"):
        ship(with_parameters(train_with, data=threading.Lock()))


def test_an_argument_of_a_partial_is_named():
    with pytest.raises(ConfigurationError, match="the argument 'data' of a partial, a lock"):
        ship(prepare(functools.partial(train_with, data=threading.Lock())))


class Stubborn:
    def __reduce__(self):
        raise ValueError("not me")


@pytest.mark.parametrize("value", [threading.Lock(), Stubborn()])
def test_an_unpicklable_config_value_is_named_by_its_path(value):
    with pytest.raises(ConfigurationError, match=r"but 'optimizer.lock', 'other' cannot be pickled .*inside"):
        ship_config({"lr": 0.1, "optimizer": {"lock": value, "lr": 1}, "other": value})


def test_a_config_comes_back_as_it_was():
    config = {"lr": 0.1, "layers": (1, 2), "make": lambda x: x + 1, "nested": {"a": [1]}}
    got = cloudpickle.loads(ship_config(config))
    assert got.pop("make")(1) == 2
    assert got == {key: value for key, value in config.items() if key != "make"}


def test_a_module_that_workers_cannot_import_is_shipped_by_value(tmp_path):
    file = tmp_path / "loose.py"
    file.write_text("def helper(): return 42\ndef train(config): return helper()\n")
    spec = importlib.util.spec_from_file_location("loose", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules["loose"] = module
    try:
        spec.loader.exec_module(module)
        shipped = ship(prepare(module.train)).trainable
        assert "loose" not in cloudpickle.list_registry_pickle_by_value()
    finally:
        del sys.modules["loose"]
    (tmp_path / "shipped").write_bytes(shipped)
    code = (
        "import cloudpickle, pathlib\n"
        "prepared = cloudpickle.loads(pathlib.Path('shipped').read_bytes())\n"
        "assert prepared.call({}) == 42\n"
    )
    source = str(Path(tune.__file__).parents[1])
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (tmp_path / "shipped").rename(folder / "shipped")
    subprocess.run([sys.executable, "-c", code], cwd=folder, env={"PYTHONPATH": source}, check=True)


def test_with_a_library_of_arrays_comes_what_saves_them():
    def train(config):
        import numpy as np  # noqa: F401

    prepared = prepare(train)
    assert {"numpy", "poptune._keeping.checkpoints.leaves"} <= set(modules_used(prepared, ship(prepared)))


def test_parameters_are_not_shipped_but_shared_and_what_they_are_made_of_is_preloaded():
    data = np.zeros(1_000_000)
    prepared = with_parameters(train_with, data={"images": data})
    shipped = ship(prepared)
    assert len(shipped.trainable) < 10_000
    assert "numpy" in modules_used(prepared, shipped)
    folder = store(shipped.parameters)
    assert load(folder)["data"]["images"].shape == data.shape
    discard(folder)
    assert not Path(folder).exists()


def test_without_parameters_there_is_nothing_to_share():
    assert ship(prepare(train_with)).parameters is None


def test_what_code_imports_and_refers_to_is_told_beforehand():
    import json

    def helper():
        from xml import dom  # noqa: F401

    def train(config):
        import csv  # noqa: F401

        helper()
        return json.dumps(config)

    prepared = prepare(train)
    used = modules_used(prepared, ship(prepared))
    assert {"csv", "json", "xml"} <= set(used)
    assert "poptune._keeping.checkpoints.leaves" not in used
    assert "__main__" not in used
    assert used == sorted(used)
