"""Starts the launcher ahead of the run, so that it imports while the program does."""

from __future__ import annotations

import atexit

from poptune._running.executors.launching import Launching
from poptune._training.process_role import is_helper
from poptune.errors import ConfigurationError

_THREADS = 1
"""What a worker's numeric libraries get where as many trials run as there are cores."""
_early: list[Launching] = []


def preload(*modules: str) -> None:
    """Begin to import modules for the workers now, beside this program's own imports.

    Worker processes are forked from one that has imported what the training code uses. It is started by
    ``fit()``, unless this has started it before: at the top of a script, heavy imports then happen on
    another core while the script does its own. In a worker, which imports such a module for itself, this
    does nothing.

    Args:
        *modules: Names of modules, such as ``"torch"``. What else the training code uses is imported later.

    Raises:
        ConfigurationError: A name is no string.

    Example:
        >>> import poptune as tune
        >>> tune.preload("json")
        >>> import json
    """
    for module in modules:
        if not isinstance(module, str):
            raise ConfigurationError(f'preload takes names of modules, such as "torch", got {module!r}')
    if is_helper():
        return
    if not _early:
        _early.append(Launching(threads=_THREADS))
        atexit.register(_end_unused)
    _early[0].preload(modules, must_import=True)


def launching(*, threads: int) -> Launching:
    """Return the launcher that was started ahead, or a new one.

    Args:
        threads: How many threads the numeric libraries of one worker may use.
    """
    if threads == _THREADS and _early:
        return _early.pop()
    return Launching(threads=threads)


def _end_unused() -> None:
    while _early:
        _early.pop().close(at_once=True)
