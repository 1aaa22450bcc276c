"""What there is to show of an experiment at one moment, as plain texts; how it looks is decided elsewhere."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from poptune._base.types import TrialStatus
from poptune._core.views import WatchedExperiment, WatchedPopulation, WatchedTrial
from poptune._watching.progress.facts import RunFacts
from poptune._watching.progress.values import cut, duration, entry, labels, rough_duration, shown

_LONGEST_HEADING = 20
_ORDER = (
    TrialStatus.RUNNING,
    TrialStatus.PAUSED,
    TrialStatus.PENDING,
    TrialStatus.TERMINATED,
    TrialStatus.ERROR,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One trial."""

    index: int
    status: TrialStatus
    iteration: int
    metric: str
    """The metric of its present state; empty before the first result."""
    parameters: tuple[str, ...]
    generation: int
    donor: str
    """Index of the trial that it copied last; empty if it never did."""
    is_best: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A population at one moment."""

    name: str
    time: str
    """Elapsed and, where it can be estimated, remaining."""
    facts: tuple[str, ...]
    """How many trials are in which state, slots, memory."""
    algorithm: str
    """The scheduler's own line."""
    metric: str
    """Heading, with an arrow to where it gets better; empty if nothing is optimised."""
    parameters: tuple[str, ...]
    """Headings, as many as each row has texts."""
    rows: tuple[Row, ...]
    hidden: int
    """How many trials have no row."""
    iterations: str
    best: str
    """The best trial with its metric and config; empty before the first result."""


def view_of(
    experiment: WatchedExperiment,
    facts: RunFacts,
    *,
    elapsed_s: float,
    remaining_s: float | None = None,
    memory: str = "",
    most_rows: int,
) -> View:
    """Return what there is to show.

    Args:
        experiment: Where it stands.
        facts: What is known of the run.
        elapsed_s: Seconds since the run, or its continuation, began.
        remaining_s: Seconds that it will still take, where that can be estimated.
        memory: How full the machine's memory is.
        most_rows: How many trials to show; if there are more, these are the best, some that run, and the
            worst, in this order.
    """
    population = experiment.population
    trials = population.trials
    best = best_trial(trials)
    rows = _chosen(trials, most_rows)
    heading = labels(facts.parameters)
    return View(
        name=facts.name,
        time=_time(elapsed_s, None if experiment.finished else remaining_s),
        facts=_facts(experiment, facts.slots, memory),
        algorithm=experiment.describe(),
        metric=_metric_heading(facts),
        parameters=tuple(cut(heading[path], _LONGEST_HEADING) for path in facts.parameters),
        rows=tuple(_row(trial, population, facts, is_best=trial is best) for trial in rows),
        hidden=len(trials) - len(rows),
        iterations=_iterations(trials),
        best="" if best is None else f"best: trial {best.index}, {standing(best, facts)}",
    )


def best_trial(trials: Sequence[WatchedTrial]) -> WatchedTrial | None:
    """Return the trial with the best last result, of equals the first, as ``get_best_result()`` does."""
    scored = [trial for trial in trials if _is_finite(trial.last_score)]
    return min(scored, key=_rank, default=None)


def standing(trial: WatchedTrial, facts: RunFacts) -> str:
    """Return a trial's metric, iteration and config in a few words."""
    where = f"{facts.metric} {metric_text(trial.last_score, facts)} at iteration {trial.iteration}"
    heading = labels(facts.parameters)
    values = [f"{heading[path]} {value}" for path in facts.parameters if (value := entry(trial.config, path))]
    return ", ".join([where, *values])


def metric_text(score: float | None, facts: RunFacts) -> str:
    """Return a score as the metric that the user knows; empty if there is none."""
    return "" if score is None else shown(facts.oriented(score))


def _row(trial: WatchedTrial, population: WatchedPopulation, facts: RunFacts, *, is_best: bool) -> Row:
    return Row(
        index=trial.index,
        status=trial.status,
        iteration=trial.iteration,
        metric=metric_text(trial.score, facts),
        parameters=tuple(entry(trial.config, path) for path in facts.parameters),
        generation=trial.generation,
        donor="" if trial.donor is None else str(population[trial.donor].index),
        is_best=is_best,
    )


def _time(elapsed_s: float, remaining_s: float | None) -> str:
    left = "" if remaining_s is None else f", about {rough_duration(remaining_s)} left"
    return duration(elapsed_s) + left


def _facts(experiment: WatchedExperiment, slots: int, memory: str) -> tuple[str, ...]:
    statuses = Counter(trial.status for trial in experiment.population.trials)
    counts = [f"{statuses[status]} {status.lower()}" for status in _ORDER if statuses[status]]
    used = f"slots {len(experiment.running)}/{slots}"
    return ", ".join(counts), used, *([memory] if memory else [])


def _metric_heading(facts: RunFacts) -> str:
    if facts.metric is None:
        return ""
    return f"{cut(facts.metric, _LONGEST_HEADING)} {'↓' if facts.mode == 'min' else '↑'}"


def _iterations(trials: Sequence[WatchedTrial]) -> str:
    counted = [trial.iteration for trial in trials if trial.status.is_live]
    counted = counted or [trial.iteration for trial in trials]
    first, last = min(counted, default=0), max(counted, default=0)
    return f"iteration {first}" if first == last else f"iterations {first} to {last}"


def _chosen(trials: Sequence[WatchedTrial], most: int) -> Sequence[WatchedTrial]:
    """Return the trials to show: all by index or, if there are too many, some of them by rank."""
    if len(trials) <= most:
        return trials
    ranked = sorted(trials, key=_rank)
    middle = ranked[most // 2 :]
    running = [trial for trial in middle if trial.status is TrialStatus.RUNNING][: most // 4]
    chosen = {trial.index for trial in [*ranked[: most // 2], *running]}
    from_worst = sorted(middle, key=_rank, reverse=True)
    from_worst.sort(key=lambda trial: trial.score is None)
    worst = [trial.index for trial in from_worst if trial.index not in chosen]
    chosen.update(worst[: most - len(chosen)])
    return [trial for trial in ranked if trial.index in chosen]


def _rank(trial: WatchedTrial) -> tuple[bool, float, int]:
    """Return a key that sorts the best first and what has no finite score last."""
    if trial.last_score is None or not _is_finite(trial.last_score):
        return True, 0.0, trial.index
    return False, -trial.last_score, trial.index


def _is_finite(score: float | None) -> bool:
    return score is not None and math.isfinite(score)
