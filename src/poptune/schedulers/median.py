"""The median stopping rule: a trial whose best is below what the others had on average is stopped.

Source: Golovin et al. 2017, "Google Vizier: A Service for Black-Box Optimization", section 3.2.2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Self

from poptune._base.arguments import check_mode, reject_unknown_keywords
from poptune._base.types import Mode, TrialId
from poptune._core.events import Left, Planned, Reported, Restarted
from poptune._core.scheduler import Decision, End, Needs, Plan, PopulationView, Random, Ready, Run, Scheduler
from poptune._core.trial_spec import TrialSpec
from poptune.errors import ConfigurationError
from poptune.schedulers.metric import required, with_metric

_NEXT_REPORT = 1e-9
"""A milestone this little ahead is reached by the very next report."""


@dataclass(slots=True)
class Curves:
    """Each trial's scores by its age."""

    points: dict[TrialId, list[tuple[float, float]]] = field(default_factory=dict)

    def mean_until(self, trial: TrialId, age: float, *, since: float) -> float | None:
        """Return the mean of a trial's scores from ``since`` to ``age``; None if it is not that old."""
        points = self.points.get(trial, [])
        if not points or points[-1][0] < age:
            return None
        scores = [score for at, score in points if since <= at <= age]
        return _mean(scores) if scores else None


def _mean(scores: list[float]) -> float:
    try:
        return fmean(scores)
    except OverflowError:  # of the sum, which none of them alone is too large for
        return sum(score / len(scores) for score in scores)


@reject_unknown_keywords
@dataclass(frozen=True)
class MedianStoppingRule(Scheduler[Curves]):
    """Stop a trial whose best score so far is below the median of the others' running means at its age.

    Args:
        time_attr: The metric that measures progress.
        metric: The metric to optimise. May come from the ``TuneConfig`` instead.
        mode: ``"max"`` or ``"min"``. May come from the ``TuneConfig`` instead.
        grace_period: No trial is stopped before this value of ``time_attr``.
        min_samples_required: How many others must have come as far.
        min_time_slice: A trial that was judged is not judged again before this much more of ``time_attr``.

    Raises:
        ConfigurationError: An argument is out of its range.

    Example:
        >>> from poptune.schedulers import MedianStoppingRule
        >>> rule = MedianStoppingRule(time_attr="training_iteration", grace_period=5)

    Source: Golovin et al. 2017, section 3.2.2; arguments and defaults are those of Ray Tune.
    Differs from Ray Tune: a trial is stopped, never paused (``hard_stop``).
    """

    time_attr: str = "time_total_s"
    metric: str | None = None
    mode: Mode | None = None
    grace_period: float = 60.0
    min_samples_required: int = 3
    min_time_slice: float = 0

    def __post_init__(self) -> None:
        check_mode(self.mode)
        if self.grace_period < 0 or self.min_time_slice < 0 or self.min_samples_required < 1:
            raise ConfigurationError(
                "grace_period and min_time_slice must be at least 0 and min_samples_required at least 1, got "
                f"{self.grace_period!r}, {self.min_time_slice!r} and {self.min_samples_required!r}"
            )

    @property
    def needs(self) -> Needs:
        return Needs(time_attr=self.time_attr, metric=self.metric, mode=self.mode, require_attrs=True)

    def for_metric(self, metric: str | None, mode: Mode | None) -> Self:
        return required(with_metric(self, metric, mode))

    def init(self, trials: Sequence[TrialSpec]) -> Curves:
        return Curves()

    def fold(
        self, state: Curves, event: Reported | Planned | Restarted | Left, population: PopulationView
    ) -> Curves:
        match event:
            case Reported(trial=trial_id):
                trial = population[trial_id]
                if trial.score is not None and math.isfinite(trial.score):
                    state.points.setdefault(trial_id, []).append((trial.age, trial.score))
            case Restarted(trial=trial_id):
                age = population[trial_id].age
                kept = [point for point in state.points.get(trial_id, []) if point[0] <= age]
                state.points[trial_id] = kept
            case _:
                pass
        return state

    def decide(self, state: Curves, population: PopulationView, ready: Ready, random: Random) -> Plan:
        if ready.cause == "start":
            first = Run(until=max(self.grace_period, _NEXT_REPORT), yields=False)
            return Plan(decisions=tuple(Decision(trial=trial, next=first) for trial in ready.trials))
        return Plan(decisions=tuple(self._judge(trial, state, population) for trial in ready.trials))

    def _judge(self, trial_id: TrialId, state: Curves, population: PopulationView) -> Decision:
        trial = population[trial_id]
        seen = {"own": trial.score}
        until = trial.age + max(self.min_time_slice, trial.age * _NEXT_REPORT + _NEXT_REPORT)
        go_on = Decision(trial=trial.id, next=Run(until=until, yields=False), seen=seen)
        means = [
            mean
            for other in population.trials
            if other.id != trial.id
            and (mean := state.mean_until(other.id, trial.age, since=self.grace_period)) is not None
        ]
        if len(means) < self.min_samples_required:
            return go_on
        best = max((score for _, score in state.points.get(trial.id, ())), default=-math.inf)
        if best >= median(means):
            return go_on
        reason = f"best score {best:g} is below the median {median(means):g} of the others"
        return Decision(trial=trial.id, next=End(), reason=reason, seen=seen)

    def describe(self, state: Curves, population: PopulationView) -> str:
        return f"Median stopping rule: {len(state.points)} trials have scores"
