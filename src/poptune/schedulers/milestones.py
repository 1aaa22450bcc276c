"""When the trials of Population Based Training check in, and what is said where they never would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from poptune._core.population import TrialView


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestones:
    """One every interval, none before the end of the burn-in.

    Args:
        time_attr: The metric that measures progress.
        interval: The ``perturbation_interval``.
        burn_in: The ``burn_in_period``.
    """

    time_attr: str
    interval: float
    burn_in: float

    def after(self, age: float) -> float:
        """Return the next milestone of a trial of this age."""
        return max(self.burn_in, age + self.interval)

    def missed_a_save(self, trial: TrialView, *, saved_at: float) -> bool:
        """Whether a trial has checked in since it saved last, and so should have saved again."""
        until = trial.run.until or 0.0
        if trial.age >= until:
            return saved_at < until
        # Reckoned as at the decision, so that rounding cannot tell two equal milestones apart.
        return self.after(saved_at) < until

    def doubts(self, ends: Mapping[str, float], time_budget_s: float | None) -> Iterator[str]:
        """Return a warning if all is over before the first; see ``Scheduler.doubts``."""
        attr = self.time_attr
        end, what = ends.get(attr), f"the end of a trial at {attr} {ends.get(attr):g}" if attr in ends else ""
        if attr == "time_total_s" and time_budget_s is not None and (end is None or time_budget_s < end):
            end, what = time_budget_s, f"the end of the time budget of {time_budget_s:g} s"
        first = self.after(0.0)
        if end is not None and end <= first and not (attr == "training_iteration" and end <= 1):
            yield (
                f"No milestone comes before {what}, so nobody will copy: {self._first()}. Set "
                f"perturbation_interval to {_tenth(end, attr)} or so"
                + (f", and burn_in_period to less than {end:g}" if self.burn_in >= end else "")
            )

    def too_short(self, longest: float) -> str:
        """Return what is said of an experiment that came to none."""
        counted = self.time_attr == "training_iteration"
        return (
            f"Nobody has copied anybody, because no trial came to a milestone: {self._first()}, "
            f"but the longest trial came to {longest:.4g}. Set perturbation_interval to "
            f"{_tenth(longest, self.time_attr)} or so"
            + ("" if counted else ', or count iterations, time_attr="training_iteration"')
        )

    def _first(self) -> str:
        first = self.after(0.0)
        name = "perturbation_interval" if first == self.interval else "burn_in_period"
        return f"the first is at {first:g} {self.time_attr}, the {name}"


def _tenth(end: float, attr: str) -> str:
    is_counted = attr != "time_total_s" and float(end).is_integer()
    return str(max(1, round(end / 10))) if is_counted else f"{end / 10:.2g}"
