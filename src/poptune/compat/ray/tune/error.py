"""``ray.tune.error``: why a run or a trial failed."""

from __future__ import annotations

import builtins
import re
import sys
from collections.abc import Iterator
from typing import Any

from poptune.errors import PoptuneError
from poptune.results.result import TrialError

_HEADER = "Traceback (most recent call last):"
_LINKS = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
_KIND = re.compile(r"([A-Za-z_][\w.]*)(?::|$)")


class TuneError(PoptuneError):
    """Trials of ``tune.run`` failed, or one trial did."""


class TrialFailureError(TuneError, TrialError):
    """Why a trial failed, with the traceback as its text.

    It is of the type that the training raised, too, where that is one of Python's own, or of a module that is
    loaded here anyhow. It is told from the traceback: nothing is unpickled, and no code of the trial runs.
    """


def trial_failure(story: str) -> TrialFailureError:
    """Return the error that a traceback tells of."""
    kind = _kind(last_raised(story))
    made = None if kind is None else _typed(kind)
    if kind is None or made is None:
        return TrialFailureError(story)
    native: Any = next(base for base in kind.__mro__ if base.__module__ == "builtins")
    error: TrialFailureError = native.__new__(made)
    error.args = (story,)
    return error


def last_raised(story: str) -> str:
    r"""Return how a traceback names the type of the error that ended it; nothing if it is no traceback.

    Example:
        >>> last_raised('Traceback (most recent call last):\n  File "a.py", line 1\nKeyError: "k"')
        'KeyError'
    """
    lines = iter(story.splitlines())
    named = ""
    while _goes_on(lines, is_first=not named):
        line = next((line for line in lines if not line.startswith(" ")), "")
        found = _KIND.match(line)
        if found is None:
            return named
        named = found[1]
    return named


def _goes_on(lines: Iterator[str], *, is_first: bool) -> bool:
    """Go to the beginning of the next traceback, which follows upon the one before; say if there is one."""
    if is_first:
        return next(lines, "") == _HEADER
    for line in lines:
        if line in _LINKS:
            return next(lines, None) == "" and next(lines, None) == _HEADER
    return False


def _kind(name: str) -> type[Exception] | None:
    """Return the class that a traceback calls so, if it is one of Python's own or of a loaded module."""
    module, _, own = name.rpartition(".")
    owners = [sys.modules.get(module)] if module else [builtins, sys.modules.get("__main__")]
    for owner in owners:
        kind = None if owner is None else vars(owner).get(own)
        if isinstance(kind, type) and issubclass(kind, Exception):
            return kind
    return None


def _typed(kind: type[Exception]) -> type[TrialFailureError] | None:
    """Return the class of failures of this type; None where Python cannot make it."""
    if issubclass(kind, TrialFailureError | ExceptionGroup):
        return None
    own = {
        "__module__": kind.__module__,
        "__init__": lambda *_: None,
        "__str__": lambda self: str(self.args[0]),
        "__reduce__": lambda self: (trial_failure, (self.args[0],)),
    }
    try:
        return type(kind.__name__, (kind, TrialFailureError), own)
    except TypeError:
        return None
