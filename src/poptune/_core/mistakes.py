"""Which failures are alike, and when it is certain that they are a mistake that every trial would meet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from poptune._base.types import TrialId, TrialStatus
from poptune._core.events import Failed
from poptune._core.views import WatchedTrial

_ENOUGH = 2
"""After so many trials that fail alike there is no doubt; one may be bad luck."""
_VARYING = re.compile(r"0x[0-9a-f]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?")
"""What differs between two failures of one cause: addresses, iterations, sampled values."""
_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')
_OF_LIBRARIES = re.compile(r"site-packages|/lib/python\d|/poptune/(?!examples|datasets)|^<")
_MOST_NUMBERS = 8


def last_line(error: str) -> str:
    r"""Return what a traceback ends with: the error itself.

    Example:
        >>> last_line("Traceback (most recent call last):\n  ...\nKeyError: 'lr'\n")
        "KeyError: 'lr'"
    """
    lines = [line for line in error.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def kind_of(error: str) -> str:
    """Return what two failures have in common that have one cause.

    Example:
        >>> kind_of("ValueError: nan at step 12") == kind_of("ValueError: nan at step 340")
        True
    """
    return _VARYING.sub("#", last_line(error))


def place_of(error: str) -> str:
    r"""Return where in the user's own code a traceback leads to last, as ``train.py:12``; empty if nowhere.

    Example:
        >>> place_of('File "/home/me/train.py", line 12, in train\nFile "/x/site-packages/torch.py", line 3')
        'train.py:12'
    """
    frames = [match for match in _FRAME.finditer(error) if not _OF_LIBRARIES.search(match["file"])]
    return f"{frames[-1]['file'].rpartition('/')[2]}:{frames[-1]['line']}" if frames else ""


def alike(trials: Iterable[WatchedTrial]) -> list[list[WatchedTrial]]:
    """Return the trials that have failed, those together that have failed by one cause."""
    groups: dict[tuple[str, str], list[WatchedTrial]] = {}
    for trial in trials:
        if trial.status is TrialStatus.ERROR:
            groups.setdefault((place_of(trial.error), kind_of(trial.error)), []).append(trial)
    return list(groups.values())


def told(group: Sequence[WatchedTrial]) -> str:
    """Return one line on trials that have failed alike: which, where, and why."""
    numbers = [str(trial.index) for trial in group]
    shown = numbers if len(numbers) <= _MOST_NUMBERS else [*numbers[:_MOST_NUMBERS], "..."]
    place = place_of(group[0].error)
    who = f"trial{'s' * (len(numbers) > 1)} {', '.join(shown)}"
    return f"{who}{f' ({len(numbers)})' * (len(numbers) > 1)}{f' at {place}' * bool(place)}: " + (
        last_line(group[0].error) or "no reason is known"
    )


class Mistakes:
    """Counts the trials that have failed by a mistake in the training code, by what they have in common."""

    def __init__(self) -> None:
        self._trials: dict[str, set[TrialId]] = {}

    def note(self, failed: Failed) -> None:
        """Take note of a failure."""
        if failed.is_certain:
            self._trials.setdefault(kind_of(failed.error), set()).add(failed.trial)

    def forget(self) -> None:
        """Begin to count anew, since the code may have been mended."""
        self._trials.clear()

    def is_proven(self, failed_error: str, population: int) -> bool:
        """Whether enough trials have failed like this one to end the run.

        Args:
            failed_error: The error of the one.
            population: How many trials there are.
        """
        return len(self._trials.get(kind_of(failed_error), ())) >= min(_ENOUGH, population)
