"""The population: what is known of every trial, as the fold of the journal.

The machine, the live view and the results all read this one fold; none of them keeps a second truth.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from poptune._base.course import Course, present
from poptune._base.nested import value_at
from poptune._base.places import checkpoint_path
from poptune._base.types import CheckpointId, Config, Metrics, Mode, Objective, TrialId, TrialStatus
from poptune._core.events import (
    Completed,
    Created,
    Event,
    Failed,
    Forgotten,
    Left,
    Planned,
    Reported,
    Restarted,
    Resumed,
    Spawned,
)
from poptune._core.scheduler import CheckpointRef, Decision, Fresh, Keep, Load, Rest, Run
from poptune._core.trial import Trial, TrialView
from poptune._core.trial_spec import TrialSpec, newcomer

__all__ = ["Population", "Trial", "TrialView"]

_NUMBER = (int, float)
"""Given as a tuple, since `int | float` would be built anew at each result."""


class Population:
    """All trials, by index and by id; changed by :meth:`apply` alone."""

    def __init__(self) -> None:
        self.created: Created | None = None
        self.completed = False
        self._time_attr = ""
        self._mode: Mode | None = None
        self._metric: str | None = None
        self._further: Sequence[Objective] = ()
        self._trials: list[Trial] = []
        self._by_id: dict[TrialId, Trial] = {}
        self._configs: dict[CheckpointId, tuple[Config, Course | None]] = {}
        self.plans = 0
        """How many plans there were."""
        self.pinned: set[CheckpointId] = set()
        """Checkpoints that a scheduler keeps for later plans."""

    @property
    def trials(self) -> Sequence[Trial]:
        return self._trials

    def __getitem__(self, trial: TrialId, /) -> Trial:
        return self._by_id[trial]

    def __contains__(self, trial: object) -> bool:
        return trial in self._by_id

    def config_of(self, checkpoint: CheckpointRef, /) -> Config:
        return self._configs[checkpoint.id][0]

    def course_of(self, checkpoint: CheckpointRef, /) -> Course | None:
        return self._configs[checkpoint.id][1]

    def newcomer(self, config: Config, number: int = 0) -> TrialSpec:
        assert self.created is not None
        index = len(self._trials) + number
        return newcomer(self._trials[0].spec, self.created.trainable, index, config)

    def apply(self, event: Event) -> None:  # noqa: C901 - a case for each kind
        """Fold one record."""
        match event:
            case Reported():
                self._report(event)
            case Planned(plan=plan):
                for decision in plan.decisions:
                    self._decide(decision)
                self.plans += 1
                self.pinned = (self.pinned | set(plan.pin)) - set(plan.unpin)
            case Created() | Spawned():
                self._take_in(event)
            case Failed():
                self._fail(self._by_id[event.trial], event)
            case Resumed():
                for trial_id in event.revived:
                    self._revive(self._by_id[trial_id], anew=trial_id in event.anew)
                self._lose(event.damaged)
                self.completed = self.completed and not event.revived
            case Restarted():
                self._restart(self._by_id[event.trial])
            case Left():
                trial = self._by_id[event.trial]
                trial.status = event.status
                trial.reason = event.reason
                trial.ending = event.cause
                trial.arrived = False
            case Forgotten():
                self._forget(event.checkpoints)
            case Completed():
                self.completed = True
            case _:
                pass

    def set_status(self, trial: Trial, status: TrialStatus) -> None:
        """Say where a live trial is held; that is the machine's affair and no record's."""
        trial.status = status

    def _take_in(self, event: Created | Spawned) -> None:
        if isinstance(event, Created):
            self.created = event
            self._time_attr, self._metric = event.time_attr, event.metric
            self._mode = event.mode
            self._further = event.objectives[1:]
            self._trials, self._by_id = [], {}
        trials = [Trial(spec=spec, config=spec.config) for spec in event.trials]
        self._trials += trials
        self._by_id |= {trial.id: trial for trial in trials}

    def _report(self, event: Reported) -> None:
        trial, metrics = self._by_id[event.trial], event.metrics
        trial.reports += 1
        trial.donor_config = None
        trial.iteration = event.iteration
        trial.metrics = metrics
        trial.age = _number(value_at(metrics, self._time_attr), default=trial.age)
        trial.time_total_s = _number(metrics.get("time_total_s"), default=trial.time_total_s)
        if trial.course is not None:
            trial.config = present(trial.config, trial.course, trial.age)
        if (score := self._score(metrics)) is not None:
            trial.score = trial.last_score = score
        if self._further:
            trial.further_scores = tuple(_score(metrics, one.metric, one.mode) for one in self._further)
        if event.checkpoint is not None:
            trial.saves = event.checkpoint
            trial.checkpoint = self._reference(trial, event.checkpoint)
            trial.saved.append(trial.checkpoint)
            self._configs[trial.checkpoint.id] = trial.config, trial.course
            trial.strayed = False
        until = trial.run.until
        trial.arrived = until is not None and trial.age >= until

    def _score(self, metrics: Metrics) -> float | None:
        return _score(metrics, self._metric, self._mode) if self._metric else None

    def _reference(self, trial: Trial, number: int) -> CheckpointRef:
        return CheckpointRef(
            id=CheckpointId(checkpoint_path(trial.id, number)),
            trial=trial.id,
            path=checkpoint_path(trial.spec.checkpoints_folder, number),
            number=number,
            iteration=trial.iteration,
            age=trial.age,
            time_total_s=trial.time_total_s,
            score=trial.score,
            report=trial.reports,
            timesteps_total=_counted(trial.metrics, "timesteps_total"),
            episodes_total=_counted(trial.metrics, "episodes_total"),
            scores=trial.last_scores if self._further else (),
        )

    def _decide(self, decision: Decision) -> None:
        trial = self._by_id[decision.trial]
        trial.decisions += 1
        trial.arrived = False
        trial.resting = isinstance(decision.next, Rest)
        if isinstance(decision.next, Run):
            trial.run = decision.next
        if decision.config is not None:
            trial.donor_config = trial.config if trial.reports else None
            trial.config, trial.course = decision.config, decision.course
        elif decision.course is not None:
            trial.course = decision.course
        if decision.forgives:
            trial.forgiven = trial.failures
        if not isinstance(decision.source, Keep):
            self._go_to(trial, decision, decision.source)
        trial.config = present(trial.config, trial.course, trial.age)

    def _go_to(self, trial: Trial, decision: Decision, source: Load | Fresh) -> None:
        trial.incarnation += 1
        trial.reports_at_load = trial.reports
        trial.donor_config = decision.donor_config
        if isinstance(source, Fresh):
            _begin_from_nothing(trial)
            return
        self._load(trial, source.checkpoint)
        if decision.donor is not None:
            trial.donor = decision.donor
            trial.exploits += 1
            trial.generation = self._by_id[decision.donor].generation + 1

    def _load(self, trial: Trial, checkpoint: CheckpointRef) -> None:
        trial.checkpoint = checkpoint
        trial.iteration = checkpoint.iteration
        trial.age = checkpoint.age
        trial.time_total_s = checkpoint.time_total_s
        trial.score = checkpoint.score
        trial.strayed = False

    def _fail(self, trial: Trial, event: Failed) -> None:
        if event.damaged:
            self._lose((event.damaged,))
            return
        trial.failures += 1
        trial.error = event.error

    def _lose(self, damaged: Collection[str]) -> None:
        """Have nobody go back to a damaged checkpoint, but to the newest of its own that is left, or to none.

        A trial that trains on in memory is none the worse for it until it has to go back.
        """
        for trial in self._trials if damaged else ():
            trial.saved = [ref for ref in trial.saved if ref.path not in damaged]
            if trial.status.is_live and trial.checkpoint and trial.checkpoint.path in damaged:
                trial.checkpoint = trial.saved[-1] if trial.saved else None
                kept = trial.checkpoint.report if trial.checkpoint else 0
                trial.reports_at_load = min(trial.reports_at_load, kept)
                trial.strayed = True

    def _revive(self, trial: Trial, *, anew: bool) -> None:
        """Have a trial that has ended be live again, where it stood, or where it began."""
        trial.status = TrialStatus.PENDING
        trial.resting = False
        trial.error, trial.reason, trial.ending = "", "", ""
        trial.forgiven = trial.failures
        if anew:
            trial.checkpoint, trial.reports_at_load, trial.strayed = None, 0, False
            trial.donor, trial.donor_config, trial.generation = None, None, 0
        until = trial.run.until
        trial.arrived = not anew and until is not None and trial.age >= until

    def _restart(self, trial: Trial) -> None:
        trial.incarnation += 1
        if trial.is_saved:
            return
        trial.arrived = False
        kept = trial.reports_kept
        trial.superseded = [void for void in trial.superseded if void[0] <= kept]
        if kept < trial.reports:
            trial.superseded.append((kept + 1, trial.reports))
        trial.reports_at_load = trial.reports
        trial.strayed = False
        if trial.checkpoint is not None:
            self._load(trial, trial.checkpoint)
        else:
            _stand_at_the_beginning(trial)
        trial.config = present(trial.config, trial.course, trial.age)
        trial.last_score = trial.score
        trial.further_scores = trial.checkpoint.scores[1:] if trial.checkpoint else ()

    def _forget(self, checkpoints: tuple[CheckpointId, ...]) -> None:
        gone = set(checkpoints)
        for owner in {TrialId(checkpoint.rsplit("/", 1)[0]) for checkpoint in checkpoints}:
            trial = self._by_id[owner]
            trial.saved = [ref for ref in trial.saved if ref.id not in gone]
        for checkpoint in checkpoints:
            self._configs.pop(checkpoint, None)


def _begin_from_nothing(trial: Trial) -> None:
    """Have a trial begin as a new one does; what it has reported stays what it was."""
    trial.checkpoint, trial.strayed = None, False
    trial.donor, trial.generation = None, 0
    _stand_at_the_beginning(trial)


def _stand_at_the_beginning(trial: Trial) -> None:
    trial.iteration, trial.age, trial.time_total_s, trial.score = 0, 0.0, 0.0, None


def _score(metrics: Metrics, metric: str, mode: Mode | None) -> float | None:
    """Return a metric of a result so that larger is better; ``None`` where it has none."""
    value = value_at(metrics, metric)
    if not isinstance(value, _NUMBER):
        return None
    return -float(value) if mode == "min" else float(value)


def _counted(metrics: Metrics, total: str) -> int | float | None:
    """Return what a result has counted of something, if it does."""
    value = metrics.get(total)
    return value if isinstance(value, _NUMBER) and math.isfinite(value) else None


def _number(value: object, *, default: float) -> float:
    return float(value) if isinstance(value, _NUMBER) and math.isfinite(value) else default
