"""What docs/extending.md shows works as it stands there: the script runs, and all passes the suites."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import poptune as tune
from poptune.testing.schedulers import SchedulerConformance

DOCUMENT = Path(__file__).parents[2] / "docs" / "extending.md"
BLOCKS = re.findall(r'```python\n("""(\w+\.py).*?)```', DOCUMENT.read_text(), flags=re.DOTALL)


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    """The blocks as files, which can be imported, here and in workers."""
    folder = tmp_path_factory.mktemp("extending")
    for code, name in BLOCKS:
        (folder / name).write_text(code)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    yield folder
    sys.path.remove(str(folder))
    for _, name in BLOCKS:
        sys.modules.pop(name.removesuffix(".py"), None)


def make(module, name, **arguments):
    return getattr(importlib.import_module(module), name)(**arguments)


def test_all_code_of_the_document_is_looked_at():
    assert len(BLOCKS) == DOCUMENT.read_text().count("```python")


class TestElitist(SchedulerConformance):
    def make_config(self, index):
        return {"lr": 0.1 * (index + 1)}

    def make_scheduler(self):
        return tune.PopulationBasedTraining(
            time_attr="training_iteration",
            perturbation_interval=2,
            hyperparam_mutations={"lr": tune.uniform(0, 1)},
            selector=make("elitist", "Elitist", elite=2),
        )


@pytest.mark.slow
@pytest.mark.parametrize("test", [name for _, name in BLOCKS if name.startswith("test_")])
def test_what_the_document_tests_passes_the_suites(folder, test):
    """In a program of its own: multiprocessing leaves a process behind in each that has spawned one."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", test],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    passed = re.search(r"(\d+) passed", run.stdout)
    assert passed
    assert int(passed[1]) > 20, "the suites have more tests"


@pytest.fixture(scope="module")
def results(folder):
    """The experiments that the script of the document has made."""
    home = folder / "home"
    home.mkdir()
    run = subprocess.run(
        [sys.executable, "-W", "error", folder / "all_together.py"],
        env={**os.environ, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return home / "poptune_results"


def tracked(results, name):
    return [json.loads(line) for line in (results / name / "tracked.jsonl").read_text().splitlines()]


def test_the_population_copies_from_its_best_and_the_logger_hears_of_it(results):
    grid = tune.ResultGrid.from_path(results / "elitist")
    assert not grid.errors
    lines = tracked(results, "elitist")
    exploits = [line for line in lines if line["what"] == "exploit"]
    assert len(exploits) == len(grid.lineage.exploits) > 0
    assert all(line["weights_from"] == line["config_from"] != line["trial"] for line in exploits)
    assert lines[0] == {"what": "begun", "experiment": "elitist", "metric": "error"}
    assert sum(line["what"] == "end" for line in lines) == 6


def test_halving_leaves_one_trial_and_the_best(results):
    grid = tune.ResultGrid.from_path(results / "halving")
    ends = sorted(result.metrics["training_iteration"] for result in grid)
    assert ends == [5, 5, 5, 10, 15, 20]
    assert grid.get_best_result().metrics["training_iteration"] == 20


def test_what_is_bound_to_an_estimator_is_what_it_trains_with(folder, tmp_path):
    script = importlib.import_module("all_together")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path))
        patch.setattr(script, "PipeExecutor", tune.InlineExecutor)
        grid = script.fit("bound", make("halving", "Halving", interval=30))
    for result in grid:
        rate = result.config["rate"]
        errors = list(result.metrics_dataframe["error"])
        assert errors == pytest.approx([3 * (1 - rate) ** (step + 1) for step in range(20)])


def test_a_param_that_something_else_writes_is_an_error(folder):
    script = importlib.import_module("all_together")
    estimator = script.Regression()
    bound = script.BoundParams(estimator, "rate")
    bound.begin({"rate": 0.5})
    bound.check({"rate": 0.5}, lambda path: False)
    estimator.rate = 0.1
    bound.check({"rate": 0.5}, lambda path: True)
    with pytest.raises(tune.TrainingCodeError, match=r"must keep rate=0.5.*has 0.1"):
        bound.check({"rate": 0.5}, lambda path: False)
