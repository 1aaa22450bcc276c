"""Who watches cannot steer: by what is imported, by what is called, and by what the views offer."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import poptune
from poptune._base.types import TrialId
from poptune._core.experiment import Experiment
from poptune._core.population import Population, Trial
from poptune._core.settings import Settings
from poptune._core.trial_spec import TrialSpec
from poptune._core.views import WatchedExperiment, WatchedPopulation, WatchedTrial
from poptune.schedulers import FIFOScheduler
from poptune.testing.simulation.world import created

ROOT = Path(poptune.__file__).parent
WATCHERS = [
    ROOT / "callbacks.py",
    *sorted((ROOT / "loggers").glob("*.py")),
    *sorted((ROOT / "progress").glob("*.py")),
]
STEERING = {"handle", "fold", "apply", "set_status"}
MACHINE = {
    "poptune._core.experiment",
    "poptune._core.population",
    "poptune._core.books",
    "poptune._core.slots",
}
VIEWS = [WatchedTrial, WatchedPopulation, WatchedExperiment]


def offences(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module in MACHINE:
            yield f"imports {node.module}"
        if isinstance(node, ast.Import):
            yield from (f"imports {alias.name}" for alias in node.names if alias.name in MACHINE)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in STEERING:
            yield f"calls {ast.unparse(node.func)}"


@pytest.mark.parametrize("path", WATCHERS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_who_watches_neither_imports_the_machine_nor_calls_what_changes_it(path: Path) -> None:
    assert list(offences(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "from poptune._core.population import Trial",
        "import poptune._core.experiment",
        "def observe(self, events, population):\n    population.apply(events[0])",
        "experiment.handle(event)",
    ],
)
def test_what_would_steer_is_found(source: str) -> None:
    assert list(offences(source))


@pytest.mark.parametrize("view", VIEWS)
def test_all_that_a_view_has_is_to_be_read(view: type) -> None:
    reading = {"describe", "__getitem__", "__contains__"}
    own = {name: member for name, member in vars(view).items() if name in reading or name[0] != "_"}
    assert own
    for name, member in own.items():
        if name not in reading:
            assert isinstance(member, property), name
            assert member.fset is None


def test_what_a_view_names_is_there() -> None:
    spec = TrialSpec(id=TrialId("e_00000"), index=0, name="train", tag="0", folder="trial", config={})
    things = [Trial(spec=spec, config={}), Population(), Experiment(FIFOScheduler(), Settings(slots=1))]
    things[2].handle(created([{}]))
    for view, thing in zip(VIEWS, things, strict=True):
        names = [name for name in vars(view) if name[0] != "_"]
        assert all(hasattr(thing, name) for name in names)
