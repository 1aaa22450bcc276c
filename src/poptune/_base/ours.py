"""Whose code something is: this library's, or its user's."""

from __future__ import annotations


def is_ours(thing: object) -> bool:
    """Whether an object's class is this library's own.

    Example:
        >>> from poptune.schedulers import FIFOScheduler
        >>> class Mine(FIFOScheduler):
        ...     pass
        >>> Mine.__module__ = "my_project"
        >>> is_ours(FIFOScheduler()), is_ours(Mine())
        (True, False)
    """
    return type(thing).__module__.partition(".")[0] == "poptune"
