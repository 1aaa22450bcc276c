"""A launcher that was started before the run."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import poptune as tune
from poptune._running.executors import ProcessExecutor, preloading
from poptune._running.executors.base import available_cores

HEAVY = """
import os, pathlib
with pathlib.Path(__file__).with_name("imports").open("a") as file: print(os.getpid(), file=file)
"""


@pytest.fixture(autouse=True)
def _end_early():
    preloading._end_unused()  # of the examples in docstrings, which other tests run
    yield
    preloading._end_unused()


def train(config):
    tune.report({"launcher": os.getppid(), "mood": os.environ.get("MOOD", "none")})


def launchers(path, **options):
    results = tune.Tuner(
        train,
        tune_config=tune.TuneConfig(num_samples=2),
        run_config=tune.RunConfig(storage_path=path, verbose=0, executor=ProcessExecutor(**options)),
    ).fit()
    return {result.metrics["launcher"] for result in results}


def early_process():
    return preloading._early[0]._process


def test_a_run_takes_the_launcher_that_has_imported_meanwhile(tmp_path, monkeypatch):
    (tmp_path / "heavy.py").write_text(HEAVY)
    monkeypatch.syspath_prepend(tmp_path)
    tune.preload("heavy")
    early = early_process().pid
    deadline = time.monotonic() + 300.0
    while not (tmp_path / "imports").exists() and time.monotonic() < deadline:
        os.sched_yield()
    assert (tmp_path / "imports").read_text().split() == [str(early)], "before there is a run"
    assert launchers(tmp_path, slots=available_cores()) == {early}
    assert not preloading._early
    assert early not in launchers(tmp_path, slots=available_cores()), "it is taken once"


def test_a_run_whose_workers_may_use_more_threads_starts_its_own():
    tune.preload()
    early = preloading._early[0]
    other = preloading.launching(threads=2)
    other.close(at_once=True)
    assert other is not early
    assert preloading._early == [early]


def test_what_changes_in_the_environment_before_the_run_reaches_the_workers(tmp_path, monkeypatch):
    tune.preload()
    monkeypatch.setenv("MOOD", "bright")
    results = tune.Tuner(
        train,
        run_config=tune.RunConfig(
            storage_path=tmp_path, verbose=0, executor=ProcessExecutor(slots=available_cores())
        ),
        tune_config=tune.TuneConfig(num_samples=available_cores()),
    ).fit()
    assert results[0].metrics["mood"] == "bright"


def test_a_module_that_cannot_be_imported_is_told_when_the_run_begins(tmp_path):
    tune.preload("not_there")
    with pytest.warns(tune.PoptuneWarning, match="'not_there' cannot .*ModuleNotFoundError"):
        launchers(tmp_path, slots=available_cores())


def test_a_launcher_that_nobody_needs_ends_with_the_program():
    code = """
import poptune as tune
tune.preload("json")
from poptune._running.executors import preloading
print(preloading._early[0]._process.pid)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stderr == ""
    assert not Path(f"/proc/{run.stdout.strip()}").exists()


def test_only_names_of_modules_can_be_preloaded():
    with pytest.raises(tune.ConfigurationError, match="preload takes names of modules, .*got <module"):
        tune.preload(os)
    assert not preloading._early


TRAINS = """
import poptune as tune
from poptune._running.executors import preloading

tune.preload("json")

def train(config):
    tune.report({"started_here": len(preloading._early)})
"""


@pytest.mark.parametrize("fork", [True, False])
def test_a_module_of_the_training_code_that_preloads_starts_nothing_more_in_the_workers(
    tmp_path, monkeypatch, fork
):
    (tmp_path / "trains_and_preloads.py").write_text(TRAINS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "trains_and_preloads", raising=False)
    from trains_and_preloads import train

    assert len(preloading._early) == 1
    results = tune.Tuner(
        train,
        run_config=tune.RunConfig(
            storage_path=tmp_path, verbose=0, executor=ProcessExecutor(slots=available_cores(), fork=fork)
        ),
    ).fit()
    assert results[0].metrics["started_here"] == 0


WITH_A_CHILD_AT_EXIT = """
import atexit, subprocess
atexit.register(lambda: subprocess.run(["true"]))
"""


def test_what_a_preloaded_module_does_at_exit_is_not_disturbed(tmp_path, monkeypatch, capfd):
    (tmp_path / "has_a_child_at_exit.py").write_text(WITH_A_CHILD_AT_EXIT)
    monkeypatch.syspath_prepend(tmp_path)
    tune.preload("has_a_child_at_exit")
    launchers(tmp_path, slots=available_cores())
    assert capfd.readouterr().err == ""
