"""How far a run is, and how long it will still take."""

from __future__ import annotations

from poptune._core.views import WatchedPopulation, WatchedTrial
from poptune._watching.progress.facts import RunFacts

_LEAST_SHARE = 0.01
"""Less progress than this says nothing about the speed."""


def share_done(population: WatchedPopulation, facts: RunFacts) -> float | None:
    """Return how much of the training is done, from 0 to 1; ``None`` if no stop tells."""
    if not population.trials or not any(_is_reached_by_training(key, facts) for key in facts.stop):
        return None
    return sum(_share_of(trial, facts) for trial in population.trials) / len(population.trials)


def remaining_s(
    facts: RunFacts, *, elapsed_s: float, share: float | None, share_at_start: float | None
) -> float | None:
    """Return the seconds that remain, at the speed so far and within the time budget."""
    estimates = []
    if facts.time_budget_s is not None:
        estimates.append(max(0.0, facts.time_budget_s - elapsed_s))
    if share is not None and share_at_start is not None and share - share_at_start > _LEAST_SHARE:
        estimates.append(elapsed_s * (1 - share) / (share - share_at_start))
    return min(estimates, default=None)


def _share_of(trial: WatchedTrial, facts: RunFacts) -> float:
    if not trial.status.is_live:
        return 1.0
    reached = {
        facts.time_attr: trial.age,
        "time_total_s": trial.time_total_s,
        "training_iteration": float(trial.iteration),
    }
    shares = [reached[key] / end for key, end in facts.stop.items() if key in reached and end > 0]
    return min(1.0, max(shares, default=0.0))


def _is_reached_by_training(key: str, facts: RunFacts) -> bool:
    return key in {facts.time_attr, "time_total_s", "training_iteration"}
