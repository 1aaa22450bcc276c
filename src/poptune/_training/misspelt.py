"""Metrics that a run waits for and that are never reported, because their name is misspelt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from poptune._base.nested import flatten
from poptune._base.spelling import slips, words
from poptune.errors import TrainingCodeError

_OWN = (
    "training_iteration time_total_s time_this_iter_s timestamp date done trial_id pid hostname node_ip "
    "iterations_since_restore time_since_restore"
)
OWN_KEYS = frozenset(_OWN.split(" "))
"""What every result has, whatever the training code reports."""
_LONG, _LONGER = 5, 7
"""A word of the former length may lack a letter, have one too many or two swapped, one of the latter may also
have another letter: `mae` and `mape`, `micro` and `macro` are two words."""


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
    """Return which of the known names was meant by one that is none of them; empty if it is surely no other.

    The run ends for it, so that names which differ in a word of their own, a number or a single letter are
    two names, however much they are alike.

    Example:
        >>> meant_by("training_iterations", {"loss", "training_iteration"})
        'training_iteration'
        >>> meant_by("top5_acc", {"top1_acc"}), meant_by("eval_accuracy", {"val_accuracy"})
        ('', '')
    """
    names = sorted(known)
    same = (each for each in names if _essence(each) == _essence(key))
    return next(same, "") or next((each for each in names if _is_slip(key, each)), "")


def _essence(name: str) -> str:
    """What is left of a name without its separators, and without the unit of seconds as its last word."""
    return re.sub(r"_s$|[\s_/.-]", "", name.casefold())


def _is_slip(name: str, other: str) -> bool:
    mine, its = words(name), words(other)
    if len(mine) != len(its):
        return False
    differing = [pair for pair in zip(mine, its, strict=True) if pair[0] != pair[1]]
    return len(differing) == 1 and _is_slip_of_word(*differing[0])


def _is_slip_of_word(one: str, other: str) -> bool:
    shortest = min(len(one), len(other))
    is_swap_or_gap = len(one) != len(other) or sorted(one) == sorted(other)
    if not (one.isalpha() and other.isalpha()) or one[0] != other[0]:
        return False
    return shortest >= (_LONG if is_swap_or_gap else _LONGER) and slips(one, other) == 1
