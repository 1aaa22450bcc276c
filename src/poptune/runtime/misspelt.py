"""Metrics that a run waits for and that are never reported, because their name is misspelt."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from poptune.errors import TrainingCodeError
from poptune.nested import flatten

_OWN = (
    "training_iteration time_total_s time_this_iter_s timestamp date done trial_id pid hostname node_ip "
    "iterations_since_restore time_since_restore"
)
OWN_KEYS = frozenset(_OWN.split(" "))
"""What every result has, whatever the training code reports."""
_ALIKE = 0.9
"""Two names that are so much alike, of 1, are one that was misspelt."""


def check_first_result(row: Mapping[str, Any], awaited: Iterable[str]) -> None:
    """Raise if a trial's first result lacks a metric that the run waits for, and has it under a like name.

    A metric may be reported now and then only, so that a name that is like no other is no error yet.

    Raises:
        TrainingCodeError: One is misspelt, here or there.
    """
    reported = {*flatten(row), *OWN_KEYS}
    for key in awaited:
        if key not in reported and (meant := meant_by(key, reported)):
            raise TrainingCodeError(
                f"The run waits for {key!r}, which the first result lacks, but it has {meant!r}: give both "
                f"one name, for example {meant!r} in stop={{...}} and in TuneConfig(metric=...)"
            )


def meant_by(key: str, known: Iterable[str]) -> str:
    """Return which of the known names was meant by one that is none of them; empty if it is like no other.

    Example:
        >>> meant_by("training_iterations", {"loss", "training_iteration"})
        'training_iteration'
        >>> meant_by("top5_acc", {"top1_acc"})
        ''
    """
    for each in sorted(known):
        if _essence(each) == _essence(key):
            return each
    for each in difflib.get_close_matches(key, sorted(known), n=1, cutoff=_ALIKE):
        if _without_digits(each) != _without_digits(key):
            return each
    return ""


def _essence(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _without_digits(name: str) -> str:
    return re.sub(r"\d", "", name)
