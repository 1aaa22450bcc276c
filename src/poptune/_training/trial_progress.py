"""How far a trial is: what is added to its next result, and whether that is its last or a milestone."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from poptune._base.nested import flatten, value_at
from poptune._training.metrics import is_at_least, plain_metrics
from poptune._training.misspelt import check_first_result
from poptune._training.protocol import Assignment, Terms
from poptune._training.totals import Totals
from poptune.errors import TrainableError, TrainingCodeError

_OWN_KEYS = {"training_iteration", "time_total_s", "timestamp"}
"""What we count ourselves: it is in every result, and never falls."""
_MISSING = object()


class TrialProgress:
    """A trial's progress along the lineage of its state, from one assignment on."""

    def __init__(self, terms: Terms, assignment: Assignment) -> None:
        self.until = assignment.until
        """The next milestone."""
        self._last: dict[str, Any] = {
            "training_iteration": assignment.iteration,
            "time_total_s": assignment.time_total_s,
            "iterations_since_restore": 0,
            "time_since_restore": 0.0,
        }
        """The last result, or what the assignment says in its place."""
        self._totals = Totals(assignment.totals) if assignment.totals else None
        self._time_attr = terms.time_attr
        self._age = assignment.age
        self._required = [
            key
            for key in (terms.metric, *terms.further_metrics, terms.time_attr)
            if terms.require_attrs and key is not None and key not in _OWN_KEYS
        ]
        self._thresholds = [
            *((key, least, True) for key, least in terms.stop_population.items()),
            *((key, least, False) for key, least in terms.stop.items()),
        ]
        watched = [*self._required, *(key for key, _, _ in self._thresholds), self._time_attr]
        ends = (key for key, _, _ in self._thresholds)
        self._awaited = [key for key in (terms.metric, *terms.further_metrics, *ends) if key]
        self._value: Callable[..., Any] = value_at if any("/" in key for key in watched) else dict.get
        """Looks a metric up, faster where none that is watched lies in a dict of its own."""
        self._save_frequency = terms.checkpoint_frequency
        self.begin_iteration()

    @property
    def age(self) -> float:
        """The time attribute at the last result."""
        return self._age

    @property
    def iteration(self) -> int:
        """The last iteration that was reported."""
        iteration: int = self._last["training_iteration"]
        return iteration

    def begin_iteration(self) -> None:
        """Count time from now on: what the trial has waited is not its own."""
        self._began_s = time.perf_counter()

    def next_row(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """Return the next result as it is kept: plain values, and what every result has.

        Raises:
            TrainableError: It cannot be kept, or it lacks what the run depends on.
        """
        last = self._last
        row = plain_metrics(metrics)
        elapsed_s = time.perf_counter() - self._began_s
        row["training_iteration"] = last["training_iteration"] + 1
        row["time_total_s"] = last["time_total_s"] + elapsed_s
        row["time_this_iter_s"] = elapsed_s
        row["timestamp"] = int(time.time())
        row["iterations_since_restore"] = last["iterations_since_restore"] + 1
        row["time_since_restore"] = last["time_since_restore"] + elapsed_s
        if self._totals is not None or "timesteps_this_iter" in row or "episodes_this_iter" in row:
            self._count(row)
        if not last["training_iteration"]:
            check_first_result(row, self._awaited)
        for key in self._required:
            if self._value(row, key, _MISSING) is _MISSING:
                raise self._lacks(key, metrics)
        if self._time_attr not in _OWN_KEYS:
            self._check_time(row)
        return row

    def _count(self, row: dict[str, Any]) -> None:
        """Add up what few results have; the others must not pay for it."""
        self._totals = self._totals or Totals({})
        self._totals.add(row)

    def _lacks(self, key: str, metrics: Mapping[str, Any]) -> TrainableError:
        kind = TrainableError if self.iteration else TrainingCodeError
        return kind(
            f"The result lacks {key!r}, which the scheduler reads; it has the keys "
            f"{sorted(flatten(plain_metrics(metrics)))}: report({{{key!r}: ...}}), or name one of these keys "
            "instead"
        )

    def _check_time(self, row: dict[str, Any]) -> None:
        name = self._time_attr
        age = self._value(row, name, self._age)
        if not isinstance(age, (int, float)) or not self._age <= age < math.inf:
            raise TrainableError(
                f"{name!r} measures progress, so it must be a number that never falls, got {age!r} after "
                f"{self._age!r}: report a counter, and restore it from the checkpoint"
            )

    def verdict(self, row: dict[str, Any], *, done: bool) -> tuple[str, bool, bool]:
        """Return why this is the last result, or nothing; whether it ends the population; and whether the
        trial must check in with it.

        Args:
            row: The result.
            done: Whether the training code says that this is its last.
        """
        for key, least, ends_all in self._thresholds:
            if is_at_least(self._value(row, key), least):
                reason = f"{key} reached {least:g}{', which ends the population' if ends_all else ''}"
                return reason, ends_all, False
        if done:
            return "the trainable said that it is done", False, False
        until = self.until
        return "", False, until is not None and is_at_least(self._value(row, self._time_attr), until)

    def is_save_due(self, row: dict[str, Any]) -> bool:
        """Whether the result's iteration is one of those that are saved."""
        return bool(self._save_frequency) and row["training_iteration"] % self._save_frequency == 0

    def advance(self, row: dict[str, Any]) -> None:
        """Count a result that is complete and about to be sent."""
        self._last = row
        if self._totals is not None:
            self._totals.keep()
        self._age = self._value(row, self._time_attr, self._age)
