"""ASHA: trials that are not among the best at a rung are stopped there.

Source: Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning", arXiv:1810.05934, in its
stopping form.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from poptune._base.arguments import check_mode, reject_unknown_keywords
from poptune._base.types import Mode, TrialId
from poptune._core.events import Left, Planned, Reported, Restarted
from poptune._core.population import TrialView
from poptune._core.scheduler import Decision, End, Needs, Plan, PopulationView, Random, Ready, Run, Scheduler
from poptune._core.trial_spec import TrialSpec
from poptune.errors import ConfigurationError
from poptune.schedulers.metric import required, with_metric


@dataclass(slots=True)
class Rungs:
    """What was recorded at the rungs of each bracket, and which bracket each trial is in."""

    bracket: dict[TrialId, int] = field(default_factory=dict)
    scores: dict[tuple[int, float], list[float]] = field(default_factory=dict)


@reject_unknown_keywords
@dataclass(frozen=True)
class AsyncHyperBandScheduler(Scheduler[Rungs]):
    """Stop a trial at a rung if its score is below those that the best 1/``reduction_factor`` had there.

    Rungs stand at ``grace_period * reduction_factor**k`` below ``max_t``. Nobody waits: a trial is compared
    with those that came by before it. A score that is not finite is below all others.

    Args:
        time_attr: The metric that measures progress.
        metric: The metric to optimise. May come from the ``TuneConfig`` instead.
        mode: ``"max"`` or ``"min"``. May come from the ``TuneConfig`` instead.
        max_t: Every trial ends here.
        grace_period: No trial is stopped before it.
        reduction_factor: One of so many goes on at each rung.
        brackets: How many sets of rungs; the first rung of set s is ``reduction_factor**s`` later.
        stop_last_trials: Whether a trial ends at ``max_t``.

    Raises:
        ConfigurationError: An argument is out of its range.

    Example:
        >>> from poptune.schedulers import ASHAScheduler
        >>> ASHAScheduler(max_t=100, grace_period=1, reduction_factor=4).rungs(0)
        [1, 4, 16, 64]

    Source: Li et al. 2020, arXiv:1810.05934, section 3.2, Algorithm 2, in the stopping form of Ray Tune.
    Differs from Ray Tune: rungs are reckoned without logarithms, so that none is lost to rounding; a trial
    is recorded at each rung that it passes.
    """

    time_attr: str = "training_iteration"
    metric: str | None = None
    mode: Mode | None = None
    max_t: float = 100
    grace_period: float = 1
    reduction_factor: float = 4
    brackets: int = 1
    stop_last_trials: bool = True

    def __post_init__(self) -> None:
        check_mode(self.mode)
        checks = [
            ("max_t", "above 0", self.max_t > 0),
            ("grace_period", "from above 0 to max_t", 0 < self.grace_period <= self.max_t),
            ("reduction_factor", "above 1", self.reduction_factor > 1),
            ("brackets", "at least 1", self.brackets >= 1),
        ]
        for name, requirement, ok in checks:
            if not ok:
                raise ConfigurationError(f"{name} must be {requirement}, got {getattr(self, name)!r}")

    @property
    def needs(self) -> Needs:
        return Needs(time_attr=self.time_attr, metric=self.metric, mode=self.mode, require_attrs=True)

    def for_metric(self, metric: str | None, mode: Mode | None) -> Self:
        return required(with_metric(self, metric, mode))

    def rungs(self, bracket: int) -> list[float]:
        """Return the rungs of a bracket, lowest first."""
        rungs, rung = [], self.grace_period * self.reduction_factor**bracket
        while rung < self.max_t:
            rungs.append(rung)
            rung *= self.reduction_factor
        return rungs

    def init(self, trials: Sequence[TrialSpec]) -> Rungs:
        return Rungs()

    def fold(
        self, state: Rungs, event: Reported | Planned | Restarted | Left, population: PopulationView
    ) -> Rungs:
        for decision in event.plan.decisions if isinstance(event, Planned) else ():
            if "bracket" in decision.facts:
                state.bracket[decision.trial] = decision.facts["bracket"]
            for rung in decision.facts.get("rungs", ()):
                key = (state.bracket[decision.trial], float(rung))
                state.scores.setdefault(key, []).append(_comparable(decision.seen["own"]))
        return state

    def decide(self, state: Rungs, population: PopulationView, ready: Ready, random: Random) -> Plan:
        judge = self._enter if ready.cause == "start" else self._judge
        return Plan(decisions=tuple(judge(population[trial], state, random) for trial in ready.trials))

    def _enter(self, trial: TrialView, state: Rungs, random: Random) -> Decision:
        """Draw a bracket, those with more rungs more often, and train to its first rung."""
        weights = [math.exp(len(self.rungs(bracket))) for bracket in range(self.brackets)]
        total = sum(weights)
        drawn = random("bracket", trial.id).choice(self.brackets, p=[weight / total for weight in weights])
        bracket = int(drawn)
        return Decision(
            trial=trial.id, next=self._run(bracket, 0.0), reason="start", facts={"bracket": bracket}
        )

    def _run(self, bracket: int, age: float) -> Run:
        ahead = [rung for rung in self.rungs(bracket) if rung > age]
        last = self.max_t if self.stop_last_trials else None
        return Run(until=ahead[0] if ahead else last)

    def _judge(self, trial: TrialView, state: Rungs, random: Random) -> Decision:
        del random
        bracket = state.bracket[trial.id]
        reached = trial.run.until or 0.0
        passed = [rung for rung in self.rungs(bracket) if reached <= rung <= trial.age]
        score = _comparable(trial.score)
        facts = {"rungs": passed}
        seen = {"own": trial.score}
        if trial.age >= self.max_t and self.stop_last_trials:
            return Decision(trial=trial.id, next=End(), reason="max_t", seen=seen, facts=facts)
        cutoff = self._cutoff(state.scores.get((bracket, float(passed[-1])), [])) if passed else None
        if cutoff is not None and score < cutoff:
            reason = f"score {score:g} is below {cutoff:g} at rung {passed[-1]:g}"
            return Decision(trial=trial.id, next=End(), reason=reason, seen=seen, facts=facts)
        return Decision(trial=trial.id, next=self._run(bracket, trial.age), seen=seen, facts=facts)

    def _cutoff(self, recorded: list[float]) -> float | None:
        """Return the score that the best 1/``reduction_factor`` had; None if nobody was there."""
        if not recorded:
            return None
        ranked = sorted(recorded)
        place = (1 - 1 / self.reduction_factor) * (len(ranked) - 1)
        low = math.floor(place)
        high = min(low + 1, len(ranked) - 1)
        if ranked[low] == ranked[high]:
            return ranked[low]
        return ranked[low] + (place - low) * (ranked[high] - ranked[low])

    def describe(self, state: Rungs, population: PopulationView) -> str:
        counts: dict[float, int] = {}
        for (_, rung), scores in state.scores.items():
            counts[rung] = counts.get(rung, 0) + len(scores)
        passed = ", ".join(f"{counts[rung]} at {rung:g}" for rung in sorted(counts))
        return f"ASHA: rungs passed: {passed or 'none yet'}"


ASHAScheduler = AsyncHyperBandScheduler


def _comparable(score: float | None) -> float:
    return score if score is not None and math.isfinite(score) else -math.inf
