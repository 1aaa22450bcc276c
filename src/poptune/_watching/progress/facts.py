"""What a display knows of a run beside its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from poptune._base.types import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What a display knows of a run beside its events.

    Args:
        name: The experiment's name.
        path: Its folder.
        metric: The metric that is optimised, if any.
        mode: Whether it is minimised or maximised.
        slots: How many trials run at once.
        parameters: The hyperparameters worth showing, as dotted paths.
        stop: The values at which a trial ends, for the estimate of the remaining time.
        time_attr: The metric that measures progress.
        time_budget_s: Seconds after which everything ends.
    """

    name: str
    path: str
    metric: str | None
    mode: Mode | None
    slots: int
    parameters: Sequence[str] = ()
    stop: Mapping[str, float] = field(default_factory=dict)
    time_attr: str = "training_iteration"
    time_budget_s: float | None = None

    def oriented(self, score: float) -> float:
        """Return a score, of which a larger one is better, as the metric that the user reported."""
        return 0.0 - score if self.mode == "min" else score
