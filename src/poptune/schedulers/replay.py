"""Replay: one trial, trained from scratch along the schedule that a population found.

Source: Ho et al. 2019, "Population Based Augmentation", arXiv:1905.05393, section 3.2, trains a schedule
that PBT has found anew in this way; the interface is that of Ray Tune.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from typing import Protocol, Self, runtime_checkable

from poptune._base.arguments import reject_unknown_keywords
from poptune._base.course import Course
from poptune._base.types import Mode
from poptune._core.events import Left, Planned, Reported, Restarted
from poptune._core.population import TrialView
from poptune._core.schedule import Schedule
from poptune._core.scheduler import (
    Decision,
    Needs,
    Plan,
    PopulationView,
    Random,
    Ready,
    Run,
    Scheduler,
)
from poptune._core.trial_spec import TrialSpec
from poptune.errors import ConfigurationError
from poptune.schedulers.metric import with_metric
from poptune.schedulers.moving import Stretch, stretches

NO_CHECKPOINT = (
    "A change of the replayed schedule is skipped, because the trial has saved no checkpoint to go on from. "
    "Save one at every iteration at which the schedule changes, as the replayed trial did."
)


@runtime_checkable
class PathLike(Protocol):
    """What ``os.PathLike`` is; schedulers know nothing of ``os``."""

    def __fspath__(self) -> str: ...


@reject_unknown_keywords
@dataclass(frozen=True)
class PopulationBasedTrainingReplay(Scheduler[None]):
    """Train one trial from scratch with the hyperparameter schedule of a trial that PBT trained.

    Only the config is replayed, not the copying of other trials' weights, so the end result differs. The
    ``param_space`` is overridden. At each change a loop over ``steps`` goes on as it stands; a function is
    entered anew from the trial's newest checkpoint, so save one at each of them, as the replayed trial did.
    Where numbers change at one iteration after the other they move along a course, without a milestone.

    Args:
        policy_file: The ``pbt_policy_*.txt`` of the trial, read when the ``Tuner`` is made; or a
            ``Schedule``, such as ``result.schedule``, possibly ``.stretched(...)``.
        metric: The metric of the results. May come from the ``TuneConfig`` instead.
        mode: ``"max"`` or ``"min"``. May come from the ``TuneConfig`` instead.

    Raises:
        ConfigurationError: The file (once the ``Tuner`` reads it) is missing, empty or malformed.

    Example:
        >>> from poptune._core.schedule import Schedule
        >>> from poptune.schedulers import PopulationBasedTrainingReplay
        >>> replay = PopulationBasedTrainingReplay(Schedule([(0, {"lr": 0.1}), (5, {"lr": 0.02})]))
        >>> replay.schedule(6)
        {'lr': 0.02}
    """

    policy_file: str | PathLike | Schedule
    _: KW_ONLY
    metric: str | None = None
    mode: Mode | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.policy_file, str | PathLike | Schedule):
            raise ConfigurationError(
                f"policy_file must be the path of a pbt_policy_*.txt or a Schedule, got {self.policy_file!r}"
            )

    @property
    def schedule(self) -> Schedule:
        """The schedule to replay; a path must have been read by then (see :meth:`with_schedule`)."""
        if not isinstance(self.policy_file, Schedule):
            raise ConfigurationError(
                f"The policy {self.policy_file!r} is read when a Tuner is made with this scheduler"
            )
        return self.policy_file

    def with_schedule(self, schedule: Schedule) -> Self:
        """Return a replay of the schedule that was read from the policy file."""
        return replace(self, policy_file=schedule)

    @property
    def needs(self) -> Needs:
        return Needs(
            metric=self.metric, mode=self.mode, checkpoints=True, population=1, replays=self.policy_file
        )

    def for_metric(self, metric: str | None, mode: Mode | None) -> Self:
        return with_metric(self, metric, mode)

    def init(self, trials: Sequence[TrialSpec]) -> None:
        return None

    def fold(
        self, state: None, event: Reported | Planned | Restarted | Left, population: PopulationView
    ) -> None:
        return None

    def decide(self, state: None, population: PopulationView, ready: Ready, random: Random) -> Plan:
        (trial_id,) = ready.trials
        trial = population[trial_id]
        if ready.cause == "start":
            first = Decision(
                trial=trial.id,
                next=self._run(0),
                config=self.schedule(1),
                course=self._course(0),
                reason="starts the schedule",
            )
            return Plan(decisions=(first,))
        return self._change(trial)

    @cached_property
    def _stretches(self) -> list[Stretch]:
        return stretches(self.schedule.changes)

    def _run(self, iteration: int) -> Run:
        """Train until the schedule changes otherwise than along a course."""
        ahead = [at for at, _ in self._stretches if at > iteration]
        return Run(until=ahead[0] if ahead else None)

    def _course(self, iteration: int) -> Course | None:
        return [course for at, course in self._stretches if at <= iteration][-1]

    def _change(self, trial: TrialView) -> Plan:
        if trial.checkpoint is None:
            skip = Decision(trial=trial.id, next=self._run(trial.iteration), reason="no checkpoint")
            return Plan(decisions=(skip,), warnings=(NO_CHECKPOINT,))
        decision = Decision(
            trial=trial.id,
            next=self._run(trial.iteration),
            config=self.schedule(trial.iteration + 1),
            course=self._course(trial.iteration),
            reason=f"the schedule changes at iteration {trial.iteration}",
            iteration=trial.iteration,
        )
        return Plan(decisions=(decision,))

    def describe(self, state: None, population: PopulationView) -> str:
        trial = population.trials[0]
        done = sum(0 < at <= trial.iteration for at, _ in self.schedule.changes)
        return (
            f"PBT replay: {done} of {len(self.schedule.changes) - 1} changes at iteration {trial.iteration}"
        )
