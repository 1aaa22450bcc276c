"""When trials end: rules that see each result, in the process that controls the experiment.

A dict of thresholds, a maximum of iterations and a timeout are judged in the workers and cost nothing there.
Any other stopper sees each result before its trial goes on; one that sets ``synchronous = False`` sees it
while the trial trains on, which is faster, and ends it some reports later.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from numbers import Integral
from statistics import pstdev
from typing import Any

from poptune._base.arguments import check_mode
from poptune._base.nested import flatten, value_at
from poptune._base.types import Mode
from poptune.errors import ConfigurationError

StopFunction = Callable[[str, dict[str, Any]], bool]


class Stopper(ABC):
    """A rule that ends trials; subclass it for rules of your own.

    Example:
        >>> import poptune as tune
        >>> class Diverged(tune.Stopper):
        ...     def __call__(self, trial_id, result):
        ...         return result["loss"] > 1e6
        >>> run_config = tune.RunConfig(stop=Diverged())
    """

    synchronous: bool = True
    """Whether a trial waits at each report until the rule has seen it."""

    @abstractmethod
    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Return whether the trial ends with this result."""

    def stop_all(self) -> bool:
        """Return whether all trials end now. Asked with each result and, from the first on, between them."""
        return False


class NoopStopper(Stopper):
    """Never stops anything."""

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False


class FunctionStopper(Stopper):
    """Ends a trial when ``function(trial_id, result)`` says so."""

    def __init__(self, function: StopFunction) -> None:
        if not callable(function):
            raise ConfigurationError(f"FunctionStopper needs a function, got {function!r}")
        self.function = function

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return bool(self.function(trial_id, result))


class MaximumIterationStopper(Stopper):
    """Ends a trial after so many iterations along its lineage. Judged in the workers."""

    def __init__(self, max_iter: int) -> None:
        if isinstance(max_iter, bool) or not isinstance(max_iter, int) or max_iter < 1:
            raise ConfigurationError(f"max_iter must be a whole number of at least 1, got {max_iter!r}")
        self.max_iter = max_iter

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return bool(result["training_iteration"] >= self.max_iter)


class TimeoutStopper(Stopper):
    """Ends everything after so many seconds, or a ``timedelta``, of a session.

    A subclass that overrides :meth:`stop_all` is asked itself; the time counts from when it is first asked.
    """

    def __init__(self, timeout: float | timedelta) -> None:
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        if not seconds > 0:
            raise ConfigurationError(f"timeout must be above 0 seconds, got {timeout!r}")
        self.timeout = float(seconds)
        self._first_asked_s: float | None = None

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        """Return whether the time is over."""
        now_s = time.monotonic()
        if self._first_asked_s is None:
            self._first_asked_s = now_s
        return now_s - self._first_asked_s >= self.timeout


class TrialPlateauStopper(Stopper):
    """Ends a trial whose metric no longer moves: the standard deviation of its last results is small.

    Args:
        metric: What must move.
        std: The standard deviation below which it counts as still.
        num_results: Of how many last results.
        grace_period: Never before so many results.
        metric_threshold: Only if the metric is at least this good, by ``mode``.
        mode: ``"min"`` or ``"max"``, required with a threshold.
    """

    def __init__(
        self,
        metric: str,
        std: float = 0.01,
        num_results: int = 4,
        grace_period: int = 4,
        metric_threshold: float | None = None,
        mode: Mode | None = None,
    ) -> None:
        check_mode(mode)
        if metric_threshold is not None and mode is None:
            raise ConfigurationError('metric_threshold needs a mode: add mode="min" or mode="max"')
        self.metric, self.std, self.grace_period = metric, std, grace_period
        self.metric_threshold, self.mode = metric_threshold, mode
        self.num_results = num_results
        self._seen: dict[str, int] = {}
        self._recent: dict[str, deque[float]] = {}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        value = _value(result, self.metric)
        self._seen[trial_id] = self._seen.get(trial_id, 0) + 1
        recent = self._recent.setdefault(trial_id, deque(maxlen=self.num_results))
        recent.append(value)
        if self._seen[trial_id] < self.grace_period or len(recent) < self.num_results:
            return False
        return self._is_good(value) and pstdev(recent) < self.std

    def _is_good(self, value: float) -> bool:
        if self.metric_threshold is None:
            return True
        return value <= self.metric_threshold if self.mode == "min" else value >= self.metric_threshold


class ExperimentPlateauStopper(Stopper):
    """Ends everything when the best results of all trials no longer differ.

    Args:
        metric: What is compared.
        std: The standard deviation of the best values at which they count as equal.
        top: How many of the best values.
        mode: ``"min"`` or ``"max"``: which are best.
        patience: For how many further results they must stay equal.
    """

    def __init__(
        self,
        metric: str,
        std: float = 0.001,
        top: int = 10,
        mode: Mode = "min",
        patience: int = 0,
    ) -> None:
        check_mode(mode)
        if top < 1 or patience < 0 or std < 0:
            raise ConfigurationError(
                f"top must be at least 1, patience and std at least 0, got {top!r}, {patience!r}, {std!r}"
            )
        self.metric, self.std, self.top, self.mode = metric, std, top, mode
        self.patience = patience
        self._best: list[float] = []
        self._still_for = 0

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        values = [*self._best, _value(result, self.metric)]
        self._best = sorted(values, reverse=self.mode == "max")[: self.top]
        self._still_for = self._still_for + 1 if self._is_still() else 0
        return self.stop_all()

    def _is_still(self) -> bool:
        return len(self._best) == self.top and pstdev(self._best) <= self.std

    def stop_all(self) -> bool:
        """Return whether the best values have been equal for long enough."""
        return self._is_still() and self._still_for >= self.patience


class CombinedStopper(Stopper):
    """Ends what any of several stoppers ends."""

    def __init__(self, *stoppers: Stopper) -> None:
        self.stoppers = stoppers

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        answers = [stopper(trial_id, result) for stopper in self.stoppers]  # each of them sees each result
        return any(answers)

    def stop_all(self) -> bool:
        """Return whether any of them ends everything."""
        return any(stopper.stop_all() for stopper in self.stoppers)


@dataclass(frozen=True, slots=True)
class StopRules:
    """What a user's ``stop`` comes down to.

    Args:
        thresholds: Judged in the workers: a trial ends when any of these metrics reaches its value.
        timeout_s: Everything ends after so long.
        stoppers: What must see each result in the controller.
    """

    thresholds: dict[str, float] = field(default_factory=dict)
    timeout_s: float | None = None
    stoppers: tuple[Stopper, ...] = ()

    @property
    def lockstep(self) -> bool:
        """Whether trials must wait at each report for some stopper."""
        return any(stopper.synchronous for stopper in self.stoppers)


def stop_rules(stop: Mapping[str, float] | StopFunction | Stopper | None) -> StopRules:
    """Return what a ``stop`` comes down to, with as much as possible left to the workers."""
    match stop:
        case None:
            return StopRules()
        case Mapping():
            return StopRules(thresholds=thresholds(stop))
        case Stopper():
            return _rules_of_stopper(stop)
        case _:
            return StopRules(stoppers=(FunctionStopper(stop),))


def thresholds(stop: Mapping[str, float] | None) -> dict[str, float]:
    """Return the thresholds of a dict as numbers of Python's, whatever numbers they are."""
    given: Mapping[str, Any] = stop or {}
    return {key: int(value) if isinstance(value, Integral) else float(value) for key, value in given.items()}


def _rules_of_stopper(stopper: Stopper) -> StopRules:
    """What a stopper comes down to; one of the user's own, also if derived from ours, is asked itself."""
    match stopper:
        case NoopStopper() if _is_asked_as(stopper, NoopStopper):
            return StopRules()
        case MaximumIterationStopper(max_iter=max_iter) if _is_asked_as(stopper, MaximumIterationStopper):
            return StopRules(thresholds={"training_iteration": max_iter})
        case TimeoutStopper(timeout=timeout_s) if _is_asked_as(stopper, TimeoutStopper):
            return StopRules(timeout_s=timeout_s)
        case CombinedStopper(stoppers=stoppers) if _is_asked_as(stopper, CombinedStopper):
            return _merged([stop_rules(one) for one in stoppers])
        case _:
            return StopRules(stoppers=(stopper,))


def _is_asked_as(stopper: Stopper, kind: type[Stopper]) -> bool:
    """Whether a stopper answers both questions as this class does."""
    mine: type[Stopper] = type(stopper)
    return mine.__call__ is kind.__call__ and mine.stop_all is kind.stop_all


def may_end_all_unasked(stopper: Stopper) -> bool:
    """Whether a stopper may end everything without a new result, so that it is to be asked now and then."""
    own: type[Stopper] = type(stopper)
    return own.stop_all is not Stopper.stop_all and own is not ExperimentPlateauStopper


def _merged(rules: list[StopRules]) -> StopRules:
    thresholds: dict[str, float] = {}
    for rule in rules:
        for key, value in rule.thresholds.items():
            thresholds[key] = min(value, thresholds.get(key, value))
    timeouts = [rule.timeout_s for rule in rules if rule.timeout_s is not None]
    stoppers = tuple(stopper for rule in rules for stopper in rule.stoppers)
    return StopRules(thresholds, min(timeouts, default=None), stoppers)


def _value(result: Mapping[str, Any], metric: str) -> float:
    value = value_at(result, metric)
    if not isinstance(value, int | float):
        raise ConfigurationError(
            f"A stopper needs the metric {metric!r} as a number, got {value!r}; the result has the keys "
            f"{sorted(flatten(result))}"
        )
    return value
