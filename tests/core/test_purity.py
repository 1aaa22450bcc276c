"""Core, schedulers and search space know no clock, no files, no threads, no frameworks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import poptune

ROOT = Path(poptune.__file__).parent
IMPURE = {
    *("asyncio", "concurrent", "datetime", "io", "logging", "multiprocessing", "os", "pathlib", "pickle"),
    *("random", "secrets", "shutil", "signal", "socket", "sqlite3", "subprocess", "tempfile", "threading"),
    *("time", "uuid", "warnings"),
    *("cloudpickle", "jax", "matplotlib", "pandas", "ray", "rich", "torch"),
}
IMPURE_ROOMS = {
    *("poptune._keeping", "poptune._running", "poptune._training", "poptune._watching"),
    *("poptune.loggers", "poptune.plots", "poptune.results", "poptune.testing", "poptune._base.notices"),
}
IMPURE_CALLS = {"open", "print", "input", "exec", "eval"}
FILES = [
    path for room in ("_core", "schedulers", "search_space") for path in sorted((ROOT / room).glob("*.py"))
]


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def offences(source: str) -> list[str]:
    tree = ast.parse(source)
    modules = [
        name
        for name in imported(tree)
        if name.split(".")[0] in IMPURE
        or any(name == room or name.startswith(f"{room}.") for room in IMPURE_ROOMS)
    ]
    calls = [
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS
    ]
    shared = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and ast.unparse(node).startswith(("np.random.", "numpy.random."))
        and ast.unparse(node) not in {"np.random.Generator", "np.random.default_rng"}
    ]
    return [*modules, *calls, *shared]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_pure_file_imports_and_calls_nothing_impure(path: Path) -> None:
    assert offences(path.read_text(encoding="utf-8")) == []


def test_all_pure_files_are_looked_at() -> None:
    assert {path.parent.name for path in FILES} == {"_core", "schedulers", "search_space"}
    assert len(FILES) > 20


@pytest.mark.parametrize(
    "source",
    [
        "import os.path",
        "from time import monotonic",
        "def f():\n    import random",
        "from poptune._keeping.journal import MemoryJournal",
        "from poptune._base import notices",
        "open('x')",
        "np.random.seed(0)",
        "if TYPE_CHECKING:\n    import torch",
    ],
)
def test_an_impure_file_would_be_found(source: str) -> None:
    assert offences(source)


def test_core_does_not_know_the_schedulers() -> None:
    for path in (ROOT / "_core").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not [name for name in imported(tree) if name.startswith("poptune.schedulers")], path.name
