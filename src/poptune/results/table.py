"""A small table of an experiment, as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from poptune.core.population import Trial
from poptune.nested import number_at
from poptune.results.recording import Recording
from poptune.results.scores import rank

_MOST_ROWS = 12


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
        return value is not None, 0.0 if value is None else rank(value, mode)

    best_first = sorted(trials, key=merit, reverse=True)
    rows = [["trial", "status", "iteration", metric or ""]] + [
        [trial.spec.tag, trial.status, str(trial.iteration), _short(values[trial.id])]
        for trial in best_first[:_MOST_ROWS]
    ]
    more = len(trials) - _MOST_ROWS
    return "\n".join([head, *_aligned(rows), *([f"and {more} more"] if more > 0 else [])])


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        f"{tag:<{widths[0]}}  {status:<{widths[1]}}  {iteration:>{widths[2]}}  {value:>{widths[3]}}".rstrip()
        for tag, status, iteration, value in rows
    ]


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
