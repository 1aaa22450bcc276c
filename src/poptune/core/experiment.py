"""The state machine of an experiment: ``handle(event) -> Step(events, commands)``.

An input is folded; trials that await a decision are put to the scheduler; slots are dealt out. The step's
events must be in the journal before its commands are carried out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from poptune.core.advice import CROWDED, DAMAGED, STALE_RESTART
from poptune.core.barriers import Barriers
from poptune.core.commands import Command, Delete, Release, Warn, proceeding, starting
from poptune.core.events import (
    Completed,
    Created,
    Declined,
    Ending,
    Event,
    Failed,
    Forgotten,
    Input,
    Left,
    Planned,
    PopulationStopped,
    Reported,
    ResidentsLimited,
    Restarted,
    Resumed,
    Returned,
    SlotsChanged,
    Ticked,
)
from poptune.core.failures import Failures
from poptune.core.keeping import Keeping
from poptune.core.population import Population, Trial
from poptune.core.random import derived_generator
from poptune.core.scheduler import Decision, End, Keep, Load, Plan, Ready, Scheduler
from poptune.core.settings import Settings
from poptune.core.slots import Slots
from poptune.core.soundness import problem
from poptune.equality import same
from poptune.errors import InternalError, SchedulerError
from poptune.types import TrialId, TrialStatus

_FROM_A_TRIAL = (Reported, Returned, Failed, Declined)


@dataclass(slots=True)
class Step:
    """What one input led to: the records to journal, then the commands to carry out."""

    events: list[Event] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)


class Experiment:
    """The machine. Holds the population, the scheduler's state, and who runs and who waits."""

    def __init__(self, scheduler: Scheduler[Any], settings: Settings) -> None:
        self.population = Population()
        self.scheduler = scheduler
        self.state: Any = None
        self._slots = Slots(settings.slots)
        self._barriers = Barriers()
        self._keeping = Keeping(settings.retention)
        self._max_residents = settings.max_residents
        self._failures = Failures(settings.retries)
        self._live: set[TrialId] = set()
        self._warned: set[str] = set()
        self._step = Step()

    @property
    def finished(self) -> bool:
        """Whether no trial is live any more."""
        return self.population.created is not None and not self._live

    @property
    def running(self) -> frozenset[TrialId]:
        """The trials that hold a slot."""
        return frozenset(self._slots.running)

    @property
    def wakes_at_s(self) -> float | None:
        """When it wants to be told that time has passed, by a ``Ticked``; ``None`` if it does not care."""
        return self._failures.next_s

    def describe(self) -> str:
        """Return the scheduler's own line on where it stands."""
        return self.scheduler.describe(self.state, self.population)

    def fold(self, event: Event) -> None:  # noqa: C901 - a case for each kind
        """Take over one journaled record; decides nothing and commands nothing."""
        self.population.apply(event)
        match event:
            case Reported():
                self.state = self.scheduler.fold(self.state, event, self.population)
                trial = self.population[event.trial]
                if trial.arrived or event.checkpoint is not None:
                    self._settle(trial)
            case Created(trials=trials):
                self.state = self.scheduler.init(trials)
                self._live = {trial.id for trial in trials}
            case Restarted(trial=trial_id) | Left(trial=trial_id):
                self.state = self.scheduler.fold(self.state, event, self.population)
                if isinstance(event, Left):
                    self._live.discard(trial_id)
                self._settle(self.population[trial_id])
            case Failed(damaged=""):
                self._failures.note(event)
            case Failed() | Resumed():
                if isinstance(event, Resumed):
                    self._live.update(event.revived)
                    self._failures.forget_mistakes()
                for trial in self.population.trials:
                    self._settle(trial)
            case Planned(plan=plan):
                self.state = self.scheduler.fold(self.state, event, self.population)
                for decision in plan.decisions:
                    self._settle(self.population[decision.trial])
                self._keeping.let_go(plan.unpin)
            case _:
                pass

    def _settle(self, trial: Trial) -> None:
        """Bring the derived books in line with what was folded of a trial."""
        self._keeping.update(trial)
        self._barriers.update(trial)

    def handle(self, event: Input) -> Step:
        """Fold an input, decide what is to be decided, and deal out the slots."""
        self._step = Step()
        if self._is_stale(event):
            return self._step
        self._record(event)
        if not self._asks_for_nothing(event):
            self._respond(event)
        return self._step

    def _asks_for_nothing(self, event: Input) -> bool:
        """Whether this is a result between milestones, as almost all inputs are."""
        return (
            isinstance(event, Reported)
            and not (event.waiting or event.stop)
            and event.checkpoint is None
            and not self.population[event.trial].arrived
        )

    def _respond(self, event: Input) -> None:  # noqa: C901 - a case for each kind
        match event:
            case Created(trials=trials):
                self._decide(Ready(cause="start", trials=tuple(trial.id for trial in trials)))
            case Reported(trial=trial):
                self._on_report(self.population[trial], event)
            case Returned(trial=trial):
                self._leave(
                    self.population[trial], TrialStatus.TERMINATED, "the function returned", cause="returned"
                )
            case Failed(trial=trial):
                self._on_failure(self.population[trial], event)
            case Declined(trial=trial):
                self._enter_anew(self.population[trial])
            case Ticked(time_s=time_s):
                self._wake(time_s)
            case PopulationStopped(reason=reason):
                self._stop_all(reason)
            case ResidentsLimited(limit=limit):
                self._max_residents = max(limit, self._slots.total)
                self._make_room(0)
            case SlotsChanged(slots=slots):
                self._slots.total = slots
                if self._max_residents is not None:
                    self._max_residents = max(self._max_residents, slots)
            case Resumed(damaged=damaged):
                self._resume(damaged)
            case Completed():
                pass
        self._open_barriers()
        self._dispatch()
        self._clean()

    def _record(self, event: Event) -> None:
        self.fold(event)
        self._step.events.append(event)

    def _is_stale(self, event: Input) -> bool:
        """Whether a message is from a worker that the trial no longer belongs to."""
        if not isinstance(event, _FROM_A_TRIAL):
            return False
        trial = self.population[event.trial]
        if event.incarnation > trial.incarnation:
            raise InternalError(
                f"Trial {trial.id} reported as incarnation {event.incarnation}, but only "
                f"{trial.incarnation} were started. Its story: {trial!r}"
            )
        return event.incarnation < trial.incarnation or not trial.status.is_live

    def _on_report(self, trial: Trial, event: Reported) -> None:
        if event.stop:
            unwound = not (event.waiting or event.overruled)
            self._leave(trial, TrialStatus.TERMINATED, event.stop, cause="stopped", unwound=unwound)
        elif trial.arrived:
            if not event.waiting:
                raise InternalError(
                    f"Trial {trial.id} passed its milestone {trial.run} without waiting: {event!r}"
                )
            if trial.run.barrier is None:
                self._decide(Ready(cause="milestone", trials=(trial.id,)))
            else:
                self._slots.free(trial.id)
                self._show(trial)
        elif event.waiting:
            self._proceed(trial)

    def _enter_anew(self, trial: Trial) -> None:
        """Have a trial's code go on from its newest state, since it cannot take a new config in place."""
        if not trial.is_saved:
            self.warn(STALE_RESTART)
        self._record(Restarted(trial=trial.id, cause="reconfigured"))
        self._slots.set_pending(trial.id, load=True)
        self._enter(trial)

    def _on_failure(self, trial: Trial, failed: Failed) -> None:
        if failed.damaged:
            self._on_damage(trial, failed.damaged)
            return
        self._slots.forget(trial.id)
        answer = self._failures.answer(trial, failed, len(self.population.trials))
        if answer.restarts:
            self._record(Restarted(trial=trial.id, cause="failure"))
            self._show(trial)
            if not self._failures.rests(trial, failed.time_s):
                self._queue(trial)
            return
        if answer.is_reborn:
            self._decide(Ready(cause="exhausted", trials=(trial.id,)))
        else:
            self._leave(trial, TrialStatus.ERROR, "failed", cause="failed")
        if answer.ends_all and not trial.status.is_live:
            self._stop_all(answer.ends_all, cause=answer.ending)

    def _on_damage(self, trial: Trial, checkpoint: str) -> None:
        """Have a trial that could not load its checkpoint, and all that were yet to load it, go around it."""
        self._warn_of_damage(checkpoint)
        self._slots.forget(trial.id)
        self._record(Restarted(trial=trial.id, cause="damaged"))
        self._queue(trial)
        for other in self.population.trials:
            in_memory = self._slots.is_resident(other.id) and not self._slots.has_pending(other.id)
            if other.strayed and other.status.is_live and not in_memory:
                was_at_a_barrier = other.arrived
                self._record(Restarted(trial=other.id, cause="detoured"))
                if was_at_a_barrier:
                    self._queue(other)

    def _warn_of_damage(self, checkpoint: str) -> None:
        self.warn(DAMAGED.format(checkpoint=checkpoint))

    def _wake(self, now_s: float) -> None:
        for trial_id in self._failures.pop_rested(now_s):
            trial = self.population[trial_id]
            if trial.status.is_live:
                self._queue(trial)

    def _leave(
        self, trial: Trial, status: TrialStatus, reason: str, *, cause: Ending, unwound: bool = True
    ) -> None:
        if self._slots.is_resident(trial.id) and not unwound:
            self._step.commands.append(Release(trial=trial.id))
        self._slots.forget(trial.id)
        self._record(Left(trial=trial.id, status=status, reason=reason, cause=cause))

    def _stop_all(self, reason: str, *, cause: Ending = "ended with all") -> None:
        for trial in self.population.trials:
            if trial.status.is_live:
                self._leave(trial, TrialStatus.TERMINATED, reason, cause=cause, unwound=False)

    def _resume(self, damaged: Sequence[str]) -> None:
        for checkpoint in damaged:
            self._warn_of_damage(checkpoint)
        live = [trial for trial in self.population.trials if trial.status.is_live]
        for trial in live:
            self._record(Restarted(trial=trial.id, cause="resumed"))
            self._queue(trial)
        for trial in live:  # as for one that had ended where it was to check in, and goes on
            if trial.arrived and trial.run.barrier is None:
                self._decide(Ready(cause="milestone", trials=(trial.id,)))

    def _decide(self, ready: Ready) -> None:
        plan = self.scheduler.decide(self.state, self.population, ready, self._random)
        self._check(plan, ready)
        unaware = {decision.trial for decision in plan.decisions if self._is_news(decision)}
        reached = {trial: self.population[trial].age for trial in ready.trials}
        self._record(Planned(plan=plan))
        for warning in plan.warnings:
            self.warn(warning)
        for decision in plan.decisions:
            trial = self.population[decision.trial]
            if isinstance(decision.next, End):
                failed = ready.cause == "exhausted"
                status = TrialStatus.ERROR if failed else TrialStatus.TERMINATED
                cause: Ending = "failed" if failed else "decided"
                self._leave(trial, status, decision.reason, cause=cause, unwound=False)
                continue
            self._slots.set_pending(trial.id, load=isinstance(decision.source, Load))
            if trial.id in unaware:
                self._slots.set_unaware(trial.id)
            if trial.id in self._slots.running and not self._slots.must_yield(trial, reached[trial.id]):
                self._enter(trial)
            else:
                self._queue(trial)

    def _is_news(self, decision: Decision) -> bool:
        """Whether the trial is to go on as it stands, but with another config."""
        config = decision.config
        keeps = config is not None and isinstance(decision.source, Keep)
        return keeps and not same(config, self.population[decision.trial].config)

    def _check(self, plan: Plan, ready: Ready) -> None:
        if broken := problem(plan, self.population, ready):
            raise SchedulerError(f"A plan of {type(self.scheduler).__name__} cannot be carried out: {broken}")

    def _random(self, purpose: str, trial: TrialId) -> Any:
        assert self.population.created is not None
        member = self.population[trial]
        return derived_generator(self.population.created.seed, purpose, member.index, member.decisions)

    def warn(self, message: str) -> None:
        """Tell the user something, once."""
        if message not in self._warned:
            self._warned.add(message)
            self._step.commands.append(Warn(message=message))

    def _open_barriers(self) -> None:
        while opened := self._barriers.first_open():
            barrier, members = opened
            self._decide(Ready(cause="milestone", trials=members, barrier=barrier))

    def _queue(self, trial: Trial) -> None:
        """Give up the slot and, unless the trial waits at a barrier, stand in line for the next."""
        self._slots.free(trial.id)
        self._show(trial)
        if not trial.arrived:
            self._slots.enqueue(trial)

    def _dispatch(self) -> None:
        while trial_id := self._slots.next():
            trial = self.population[trial_id]
            if not self._slots.is_resident(trial_id):
                self._make_room(1)
            self._slots.occupy(trial_id)
            self._enter(trial)

    def _enter(self, trial: Trial) -> None:
        """Let a trial that holds a slot train: in its code as it stands, or from a checkpoint."""
        resident = self._slots.is_resident(trial.id)
        if resident and not self._slots.has_pending(trial.id):
            self._proceed(trial)
        else:
            self._step.commands.append(starting(trial, resident=resident))
        self._slots.settle(trial.id)
        self._show(trial)

    def _proceed(self, trial: Trial) -> None:
        self._step.commands.append(proceeding(trial, with_config=self._slots.is_unaware(trial.id)))

    def _make_room(self, wanted: int) -> None:
        """Evict suspended trials, the longest-waiting first, until ``wanted`` more fit into memory."""
        if self._max_residents is None:
            return
        excess = self._slots.residents + wanted - self._max_residents
        for trial_id in self._slots.suspended() if excess > 0 else ():
            trial = self.population[trial_id]
            if excess > 0 and (trial.is_saved or not trial.arrived) and trial.checkpoint:
                self._evict(trial)
                excess -= 1
        if excess > 0 and wanted:
            self.warn(CROWDED.format(limit=self._max_residents))

    def _evict(self, trial: Trial) -> None:
        self._slots.forget(trial.id)
        self._step.commands.append(Release(trial=trial.id))
        self._record(Restarted(trial=trial.id, cause="evicted"))
        self._queue(trial)

    def _clean(self) -> None:
        """Give up the checkpoints that retention does not keep and nobody needs any more."""
        if given_up := self._keeping.superfluous(self.population):
            self._record(Forgotten(checkpoints=tuple(ref.id for ref in given_up)))
            self._step.commands.extend(Delete(checkpoint=ref) for ref in given_up)

    def _show(self, trial: Trial) -> None:
        if trial.status.is_live:
            self.population.set_status(trial, self._slots.status(trial.id))
