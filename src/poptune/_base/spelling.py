"""Which name somebody may have meant who wrote another; careful, since it turns a program away."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
_LONG, _SHORT = 7, 3
"""A word of the former length may have two slips, one of the latter none that puts a letter for another."""


def meant(name: str, names: Iterable[str]) -> str | None:
    """Return the first of some names that another one is likely to be a slip of the pen for, or None.

    Names that differ in a number or in a single letter, such as ``beta1`` and ``beta2``, ``lr_g`` and
    ``lr_d``, are two names.

    Example:
        >>> meant("momentun", ["lr", "momentum"]), meant("batchSize", ["batch_size"])
        ('momentum', 'batch_size')
        >>> meant("beta1", ["beta2"]) is None
        True
    """
    return next((other for other in names if _is_slip(name, other)), None)


def _is_slip(name: str, other: str) -> bool:
    mine, its = words(name), words(other)
    if "".join(mine) == "".join(its):
        return True
    if len(mine) != len(its):
        return False
    differing = [pair for pair in zip(mine, its, strict=True) if pair[0] != pair[1]]
    return len(differing) == 1 and _is_slip_of_word(*differing[0])


def words(name: str) -> list[str]:
    """Return the words and numbers of a name, all in small letters.

    Example:
        >>> words("valAccuracy/top_5")
        ['val', 'accuracy', 'top', '5']
    """
    return [word.casefold() for word in _WORD.findall(name)]


def _is_slip_of_word(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    if len(shorter) < 2 or not (one.isalpha() and other.isalpha()):
        return False
    if sorted(one) == sorted(other):
        return slips(one, other) == 1
    if one[0] != other[0] or (len(shorter) == len(longer) <= _SHORT):
        return False
    return slips(one, other) <= (2 if len(shorter) >= _LONG else 1)


def slips(one: str, other: str) -> int:
    """Return how many letters are missing, superfluous, others, or swapped with the next.

    Example:
        >>> slips("acuracy", "accuracy"), slips("lsos", "loss"), slips("val", "eval")
        (1, 1, 1)
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, mine in enumerate(one):
        following = [i + 1]
        for j, its in enumerate(other):
            least = min(row[j + 1] + 1, following[j] + 1, row[j] + (mine != its))
            if i and j and mine == other[j - 1] and one[i - 1] == its:
                least = min(least, before[j - 1] + 1)
            following.append(least)
        before, row = row, following
    return row[-1]
