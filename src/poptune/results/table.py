"""A small table of an experiment, as text."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from poptune._base.nested import flatten, number_at
from poptune._core.mistakes import alike, told
from poptune._core.population import Trial
from poptune.results.recording import Recording
from poptune.results.scores import rank

_MOST_ROWS, _MOST_VALUES, _LONGEST = 12, 4, 16
_STATUS = 1
"""The column that is no number."""


def summary(recording: Recording) -> str:
    """Return where the experiment is, how its trials stand, and the best of them first."""
    trials, metric = recording.population.trials, recording.created.metric
    states = Counter(trial.status.lower() for trial in trials)
    counts = ", ".join(f"{count} {status}" for status, count in states.items())
    head = f"ResultGrid of {len(trials)} trials ({counts})\n{recording.remote or recording.layout.root}"
    values = {
        trial.id: number_at(recording.last_metrics(trial), metric) if metric else None for trial in trials
    }
    mode = recording.created.mode or "max"

    def merit(trial: Trial) -> tuple[bool, float]:
        value = values[trial.id]
        is_finite = value is not None and math.isfinite(value)
        return is_finite, rank(value, mode) if value is not None and is_finite else 0.0

    best_first = sorted(trials, key=merit, reverse=True)
    varying = _varying([flatten(trial.config) for trial in trials])
    rows = [["trial", "status", "iteration", metric or "", *varying]] + [
        [str(trial.index), trial.status, str(trial.iteration), _short(values[trial.id])]
        + [_short(flatten(trial.config).get(key)) for key in varying]
        for trial in best_first[:_MOST_ROWS]
    ]
    more = len(trials) - _MOST_ROWS
    failures = [f"failed: {told(group)}" for group in alike(trials)]
    return "\n".join([head, *_aligned(rows), *([f"and {more} more"] if more > 0 else []), *failures])


def _varying(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the keys of the first few numbers and texts that differ between trials."""
    keys = dict.fromkeys(key for config in configs for key in config)
    plain = [key for key in keys if all(_is_plain(config.get(key)) for config in configs)]
    return [key for key in plain if len({config.get(key) for config in configs}) > 1][:_MOST_VALUES]


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(_padded(row, widths)).rstrip() for row in rows]


def _padded(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    for place, (text, width) in enumerate(zip(row, widths, strict=True)):
        yield text.ljust(width) if place == _STATUS else text.rjust(width)


def _short(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:_LONGEST]
