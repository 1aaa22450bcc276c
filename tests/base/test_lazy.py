"""Packages that import what they export when it is asked for."""

import ast
import importlib
import inspect
import subprocess
import sys

import pytest

from poptune._base.lazy import exports
from poptune._keeping import storage
from poptune._running import executors


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "lazy_package"
    folder.mkdir()
    names = '{"heavy": "Weight lift", "light": "Feather"}'
    init = f"from poptune._base.lazy import exports\n__getattr__ = exports(__name__, {names})\n"
    (folder / "__init__.py").write_text(init)
    (folder / "heavy.py").write_text("class Weight: ...\nlift = 7\n")
    (folder / "light.py").write_text("class Feather: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.startswith("lazy_package")]:
        monkeypatch.delitem(sys.modules, name)
    import lazy_package

    return lazy_package


def test_a_name_is_imported_when_it_is_asked_for_and_nothing_else(package):
    assert "lazy_package.heavy" not in sys.modules
    assert package.lift == 7
    assert "lazy_package.heavy" in sys.modules
    assert "lazy_package.light" not in sys.modules
    assert vars(package)["lift"] == 7


def test_a_name_that_is_not_there_is_an_attribute_error_that_names_the_package(package):
    with pytest.raises(AttributeError, match="'lazy_package' has no attribute 'lead'"):
        package.lead  # noqa: B018
    with pytest.raises(ImportError):
        from lazy_package import lead  # noqa: F401


def test_a_submodule_is_imported_as_ever(package):
    from lazy_package import light

    assert light.__name__ == "lazy_package.light"


@pytest.mark.parametrize("package", [executors, storage])
def test_type_checkers_and_programs_see_the_same_names(package):
    (block,) = [node for node in ast.parse(inspect.getsource(package)).body if isinstance(node, ast.If)]
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert set(seen) == set(package.__all__)
    for name, home in seen.items():
        assert getattr(package, name) is getattr(importlib.import_module(home), name)


def test_names_of_no_module_of_the_package_are_found_out():
    with pytest.raises(ModuleNotFoundError):
        exports("poptune", {"nowhere": "Thing"})("Thing")


def test_a_worker_of_a_run_in_a_folder_imports_nothing_of_remote_storage():
    code = "import sys, poptune._training.launcher; print([m for m in sys.modules if 'storage' in m])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['poptune._keeping.storage', 'poptune._keeping.storage.opening']"
