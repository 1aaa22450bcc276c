"""Which trials that have ended train on when their experiment is continued."""

from __future__ import annotations

from collections.abc import Callable

from poptune._base.types import TrialId, TrialStatus
from poptune._core.population import Population, Trial


def to_revive(
    population: Population, *, failed: bool, has_ended: Callable[[Trial], bool] | None
) -> tuple[TrialId, ...]:
    """Return the trials that go on.

    Where failed ones do, so do those that were ended for one of them. Whom the scheduler ended stays so.

    Args:
        population: All trials.
        failed: Whether those that failed train on.
        has_ended: Whether, by conditions that have changed, a trial has ended where it stands; None if they
            are what they were.
    """
    return tuple(
        trial.id
        for trial in population.trials
        if not trial.status.is_live and _goes_on(trial, failed=failed, has_ended=has_ended)
    )


def _goes_on(trial: Trial, *, failed: bool, has_ended: Callable[[Trial], bool] | None) -> bool:
    if trial.status is TrialStatus.ERROR:
        return failed
    if trial.ending in {"ended for another", "ended by a mistake"} and failed:
        return True
    return trial.ending != "decided" and has_ended is not None and not has_ended(trial)
