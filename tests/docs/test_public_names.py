"""Public names are exported once and documented, and the examples in their docstrings run."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import textwrap

import pytest

import poptune as tune
from poptune import extending, loggers, plots, results, schedulers
from poptune._core.scheduler import Scheduler
from poptune._running.executors import Executor
from poptune.integrations import torch as integration_torch

MODULES = sorted(module.name for module in pkgutil.walk_packages(tune.__path__, "poptune."))
ROOMS = [tune, extending, loggers, schedulers, plots, results, integration_torch]
SEAMS = [
    *(Scheduler, schedulers.Selector, schedulers.Explorer, loggers.Logger, Executor),
    *(extending.Room, extending.Workers, extending.BoundState, extending.PopulationView),
    *(extending.TrialView, extending.WatchedTrial, extending.WatchedPopulation),
    *(extending.WatchedExperiment, extending.Executor),
]
"""Protocols; what their methods mean is said there, and not again in each class that has them."""


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_all_names_exactly_the_public_names_of_a_room_in_order(room):
    assert list(room.__all__) == sorted(set(room.__all__))
    for name in room.__all__:
        assert hasattr(room, name)


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_every_public_name_is_documented_with_its_public_methods(room):
    for name in room.__all__:
        thing = getattr(room, name)
        if inspect.ismodule(thing) or isinstance(thing, str):
            continue
        assert inspect.getdoc(thing), f"{room.__name__}.{name} has no docstring"
        if inspect.isclass(thing) and not issubclass(thing, Exception):
            for method in public_methods(thing) - set().union(*map(vars, SEAMS)):
                assert inspect.getdoc(getattr(thing, method)), f"{name}.{method} has no docstring"


def public_methods(cls):
    return {
        name
        for name, member in vars(cls).items()
        if not name.startswith("_") and (callable(member) or isinstance(member, property))
    }


def test_type_checkers_see_the_same_public_names_in_the_same_homes_as_programs():
    (block,) = [node for node in ast.parse(inspect.getsource(tune)).body if isinstance(node, ast.If)]
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    homes = {name: f"poptune.{home}" for home, names in tune._NAMES_BY_HOME.items() for name in names.split()}
    assert seen == homes | dict.fromkeys(tune._ROOMS, "poptune")
    assert set(seen) | {"__version__"} == set(tune.__all__)
    assert set(tune.__all__) <= set(dir(tune))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'poptune' has no attribute 'Tunr'"):
        tune.Tunr  # noqa: B018


def test_of_the_schedulers_the_algorithms_are_public_at_the_root_too_and_the_same():
    both = set(tune.__all__) & set(schedulers.__all__)
    assert both == {
        "ASHAScheduler",
        "AsyncHyperBandScheduler",
        "FIFOScheduler",
        "MedianStoppingRule",
        "PopulationBasedTraining",
        "PopulationBasedTrainingReplay",
    }
    assert all(getattr(tune, name) is getattr(schedulers, name) for name in both)


def test_the_example_that_help_shows_runs(tmp_path, monkeypatch):
    assert tune.__doc__ is not None
    _, _, rest = tune.__doc__.partition("::\n")
    example = textwrap.dedent(rest.partition("\nGo on with")[0])
    inline = f"storage_path={str(tmp_path)!r}, executor='inline', verbose=0, "
    namespace = {}
    exec(compile(example.replace("RunConfig(", f"RunConfig({inline}"), "example", "exec"), namespace)
    assert namespace["results"].num_terminated == 8
    for name in re.findall(r"help\(tune\.(\w+)\)", tune.__doc__):
        assert inspect.getdoc(getattr(tune, name))


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    assert doctest.testmod(module, extraglobs={"tmp_path": tmp_path}).failed == 0


def test_importing_poptune_imports_no_framework():
    code = (
        "import sys, poptune; "
        "print(sorted({'torch', 'numpy', 'pandas', 'matplotlib', 'rich', 'ray', 'jax'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
