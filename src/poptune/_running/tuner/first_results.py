"""What the first results show that was hardly meant, told while there is nothing to lose yet."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence

from poptune._base.layout import Layout
from poptune._base.nested import flatten
from poptune._base.notices import warn
from poptune._core.events import Event, Reported
from poptune._core.views import WatchedPopulation

_SHARE_OF_DISK = 0.1
"""More of the disk is hardly meant for checkpoints of one experiment."""


class FirstResults:
    """Looks at the first result of all, at the first of each trial, and at the first checkpoint.

    Args:
        layout: Where the experiment is.
        metric: What the trials are compared by, if they are.
        ends: The values of metrics at which a trial, or all, end.
        keeps_all: Whether no checkpoint is given up.
        keeps_by: The metric by which checkpoints are kept, if by one.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        metric: str | None,
        ends: Mapping[str, float],
        keeps_all: bool,
        keeps_by: str | None = None,
    ) -> None:
        self._layout = layout
        self._metric = metric
        self._ends = ends
        self._awaits_result = True
        self._awaits_score = metric is not None
        self._keeps_all = keeps_all
        self._keeps_by = keeps_by
        self._awaits_checkpoint = keeps_all or keeps_by is not None

    def observe(self, events: Sequence[Event], population: WatchedPopulation) -> None:
        """See records that are in the journal now."""
        if not (self._awaits_result or self._awaits_score or self._awaits_checkpoint):
            return
        for event in events:
            if isinstance(event, Reported):
                self._look(event, population)

    def _look(self, reported: Reported, population: WatchedPopulation) -> None:
        if self._awaits_result:
            self._awaits_result = False
            self._tell_of_missing(reported)
        if self._awaits_score:
            self._look_for_score(reported, population)
        if self._awaits_checkpoint and reported.checkpoint is not None:
            self._awaits_checkpoint = False
            if self._keeps_all:
                self._tell_of_space(reported, population)
            if self._keeps_by is not None:
                self._tell_of_merit(self._keeps_by, reported)

    def _tell_of_missing(self, first: Reported) -> None:
        known = flatten(first.metrics)
        missing = [key for key in self._ends if key not in known]
        if missing:
            none = "Nothing ends the trials" if len(missing) == len(self._ends) else "By it nothing ends"
            warn(
                f"The first result lacks {', '.join(map(repr, missing))}, which stop waits for; it has "
                f"{sorted(known)}. {none} unless it is reported later: mend the name in stop or in report()"
            )
        if self._metric is not None and self._metric not in known:
            warn(
                f"The first result lacks {self._metric!r}, the metric that trials are compared by; it has "
                f"{sorted(known)}. Unless it is reported later there is no best trial: mend the name in "
                "TuneConfig(metric=...) or in report()"
            )

    def _look_for_score(self, reported: Reported, population: WatchedPopulation) -> None:
        """Await a score that trials can be compared by: one is enough, and a first of each trial without."""
        assert self._metric is not None
        score = flatten(reported.metrics).get(self._metric)
        known = (trial.last_score for trial in population.trials if trial.last_score is not None)
        if not isinstance(score, float) or any(map(math.isfinite, known)):
            self._awaits_score = False
        elif all(trial.reports for trial in population.trials):
            self._awaits_score = False
            warn(
                f"Every trial's {self._metric!r} is NaN or infinite from the first result on, so there is no "
                "best trial unless one reports a finite score later. Train with other hyperparameters, such "
                "as a lower learning rate, or mend how the metric is computed"
            )

    def _tell_of_merit(self, attribute: str, saved: Reported) -> None:
        known = flatten(saved.metrics)
        if attribute not in known:
            warn(
                f"The first result with a checkpoint lacks {attribute!r}, the checkpoint_score_attribute; it "
                f"has {sorted(known)}. Without it the newest checkpoints are kept instead of the best: mend "
                "the name in CheckpointConfig(checkpoint_score_attribute=...) or in report()"
            )

    def _tell_of_space(self, saved: Reported, population: WatchedPopulation) -> None:
        """Project what all checkpoints will take, if it is known how long the trials are."""
        last = self._ends.get("training_iteration")
        if last is None or saved.checkpoint is None:
            return
        path = self._layout.root / population[saved.trial].saved[-1].path
        size_bytes = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        saves = last * saved.checkpoint / saved.iteration * len(population.trials)
        disk = shutil.disk_usage(self._layout.root)
        if size_bytes * saves > _SHARE_OF_DISK * disk.total:
            warn(
                f"All checkpoints are kept: {saves:,.0f} of {_shown(size_bytes)} will take "
                f"{_shown(size_bytes * saves)} of this disk, which has {_shown(disk.free)} left of "
                f"{_shown(disk.total)}. Keep the newest ones only, "
                "RunConfig(checkpoint_config=tune.CheckpointConfig(num_to_keep=2)); what a trial may go back "
                "to is kept in any case"
            )


def _shown(size_bytes: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.3g} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.3g} TB"
