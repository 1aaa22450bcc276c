"""What controller and workers must have in common to understand each other."""

from __future__ import annotations

import sys

import cloudpickle

from poptune._version import __version__


def versions() -> dict[str, str]:
    """Return the versions of this process that must be those of its partner."""
    return {
        "Python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "poptune": __version__,
        "cloudpickle": cloudpickle.__version__,
    }


def differences(here: dict[str, str], there: dict[str, str]) -> list[str]:
    """Say in words which versions differ; an empty list says that none does."""
    return [
        f"{name} is {version} in the program and {there.get(name, 'missing')} in the worker"
        for name, version in here.items()
        if there.get(name) != version
    ]
