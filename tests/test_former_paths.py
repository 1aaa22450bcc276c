"""Modules are found where they were, too: by scripts of users, and by what they have pickled."""

import importlib
import io
import pickle
import subprocess
import sys

import pytest

import poptune as tune
from poptune._former_paths import FORMER


@pytest.mark.parametrize("former", FORMER)
def test_a_former_path_leads_to_the_very_module(former):
    then, now = (importlib.import_module(f"poptune.{path}") for path in (former, FORMER[former]))
    assert then is now


def test_what_is_in_a_package_is_found_through_its_former_path_and_loaded_once():
    former = importlib.import_module("poptune.runtime.trainable")
    assert former.Trainable is tune.Trainable
    assert former.__spec__.name == former.__name__ == "poptune._training.trainable"


def test_a_class_that_was_pickled_with_its_former_path_is_found():
    for path, name, thing in [
        ("poptune.runtime.trainable", "Trainable", tune.Trainable),
        ("poptune.checkpoints.checkpoint", "Checkpoint", tune.Checkpoint),
        ("poptune.tuner.configs", "RunConfig", tune.RunConfig),
    ]:
        assert pickle.load(io.BytesIO(f"c{path}\n{name}\n.".encode())) is thing


def test_a_fresh_program_may_begin_with_a_former_path():
    code = "from poptune.core.scheduler import Plan; import poptune.extending as e; print(Plan is e.Plan)"
    command = [sys.executable, "-W", "error", "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout == "True\n"


def test_what_never_was_is_an_import_error():
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("poptune.runtime.nothing")
    with pytest.raises(ModuleNotFoundError, match=r"poptune\.nothing"):
        importlib.import_module("poptune.nothing")
