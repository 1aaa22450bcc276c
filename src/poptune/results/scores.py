"""One number for each trial, to rank them by."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Literal, get_args

from poptune._base.arguments import check_mode, nearest
from poptune._base.types import Mode
from poptune._core.events import Created
from poptune.errors import ConfigurationError

Scope = Literal["last", "all", "avg", "last-5-avg", "last-10-avg"]
_LAST = {"last": 1, "last-5-avg": 5, "last-10-avg": 10}


def check_scope(scope: str) -> None:
    """Raise ``ConfigurationError`` unless it is one of the scopes."""
    if scope not in get_args(Scope):
        raise ConfigurationError(
            f"scope must be one of {', '.join(map(repr, get_args(Scope)))}, got {scope!r}"
            f"{nearest(str(scope), get_args(Scope))}"
        )


def metric_and_mode(created: Created, metric: str | None, mode: Mode | None) -> tuple[str, Mode]:
    """Return what to rank by: what is given, else the experiment's own.

    Raises:
        ConfigurationError: There is no metric or no mode, or the mode is no mode.
    """
    check_mode(mode)
    modes: dict[str, Mode] = {each.metric: each.mode for each in created.objectives}
    if modes and metric is None:
        raise ConfigurationError(
            f"Which of several metrics to rank by must be said, got none: metric={min(modes)!r}, or another "
            f"of {', '.join(modes)}; results.pareto_front() has all that are best by some of them"
        )
    chosen, direction = metric or created.metric, mode or modes.get(metric or "", created.mode)
    if chosen is None or direction is None:
        raise ConfigurationError(
            f"Ranking needs a metric and a mode, got metric={chosen!r} and mode={direction!r}, and the "
            'experiment names none: write, for example, metric="mean_accuracy", mode="max"'
        )
    return chosen, direction


def score(values: Sequence[float], *, scope: Scope, mode: Mode) -> float:
    """Return what a trial's values, in order, amount to.

    A value that is not a number counts as none with ``"all"``, and makes an average that it enters no number.
    """
    if scope == "all":
        numbers = [value for value in values if not math.isnan(value)]
        best = max if mode == "max" else min
        return best(numbers, default=math.nan)
    return statistics.fmean(values[-_LAST.get(scope, len(values)) :])


def rank(score: float, mode: Mode) -> float:
    """Return a score so that larger is better, and what is not a number is worst."""
    if math.isnan(score):
        return -math.inf
    return score if mode == "max" else -score


def missing_metric(metric: str, known: Iterable[str]) -> ConfigurationError:
    """Return the error for a metric that was never reported as a number."""
    names = sorted(known)
    return ConfigurationError(
        f"The metric must be a number that was reported, got {metric!r}{nearest(metric, names)} "
        f"Reported were: {', '.join(names)}"
    )
