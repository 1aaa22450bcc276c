"""The state machine of an experiment: ``handle(event) -> Step(events, commands)``.

An input is folded; trials that await a decision are put to the scheduler; slots are dealt out. The step's
events must be in the journal before its commands are carried out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec import structs

from poptune._base.equality import same
from poptune._base.types import TrialId, TrialStatus
from poptune._core.advice import CROWDED, DAMAGED, STALE_RESTART
from poptune._core.books import Books
from poptune._core.commands import Command, Delete, Release, Warn, proceeding, starting
from poptune._core.events import (
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
    Spawned,
    Ticked,
)
from poptune._core.planning import Planning, is_empty
from poptune._core.population import Population, Trial
from poptune._core.scheduler import Decision, End, Keep, Plan, Ready, Scheduler
from poptune._core.settings import Settings
from poptune._core.slots import Slots
from poptune.errors import InternalError

_FROM_A_TRIAL = (Reported, Returned, Failed, Declined)
_FOLDED = (Reported, Planned, Restarted, Left)


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
        self._planning = Planning(scheduler, self.population, settings.named)
        self._slots = Slots(settings.slots)
        self._books = Books(settings)
        self._max_residents = settings.max_residents
        self._warned: set[str] = set()
        self._step = Step()

    @property
    def finished(self) -> bool:
        """Whether no trial is live any more."""
        return self.population.created is not None and not self._books.live

    @property
    def running(self) -> frozenset[TrialId]:
        """The trials that hold a slot."""
        return frozenset(self._slots.running)

    @property
    def wakes_at_s(self) -> float | None:
        """When it wants to be told that time has passed, by a ``Ticked``; ``None`` if it does not care."""
        return self._books.failures.next_s

    def describe(self) -> str:
        """Return the scheduler's own line on where it stands."""
        return self.scheduler.describe(self.state, self.population)

    def fold(self, event: Event) -> None:
        """Take over one journaled record; decides nothing and commands nothing."""
        self.population.apply(event)
        if isinstance(event, _FOLDED):
            self.state = self.scheduler.fold(self.state, event, self.population)
        elif isinstance(event, Created):
            self.state = self.scheduler.init(event.trials)
        self._books.fold(event, self.population)

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
            case ResidentsLimited() | SlotsChanged():
                self._make_do_with(event)
            case Resumed(damaged=damaged):
                self._resume(damaged)
            case Completed():
                pass
        self._open_barriers()
        self._dispatch()
        if self.scheduler.needs.idle:
            self._offer_idle_slots()
        if self._books.live and all(self.population[trial].resting for trial in self._books.live):
            self._stop_all("it rested, and nobody was left to have it called")
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
        answer = self._books.failures.answer(trial, failed, len(self.population.trials))
        if answer.restarts:
            self._record(Restarted(trial=trial.id, cause="failure"))
            self._show(trial)
            if trial.resting or not self._books.failures.waits(trial, failed.time_s):
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

    def _make_do_with(self, limit: ResidentsLimited | SlotsChanged) -> None:
        """Have as many slots as there are from now on, and at least as many places in memory."""
        if isinstance(limit, ResidentsLimited):
            self._max_residents = max(limit.limit, self._slots.total)
            self._make_room(0)
            return
        self._slots.total = limit.slots
        if self._max_residents is not None:
            self._max_residents = max(self._max_residents, limit.slots)

    def _wake(self, now_s: float) -> None:
        for trial_id in self._books.failures.pop_due(now_s):
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

    def _decide(self, ready: Ready) -> Plan:
        plan = self._planning.plan(self.state, ready)
        if ready.cause == "idle" and is_empty(plan):
            return plan
        if plan.spawn:
            self._record(Spawned(trials=plan.spawn))
        unaware = {decision.trial for decision in plan.decisions if self._is_news(decision)}
        reached = {trial: self.population[trial].age for trial in ready.trials}
        self._record(Planned(plan=structs.replace(plan, spawn=()), cause=ready.cause))
        for warning in plan.warnings:
            self.warn(warning)
        for decision in plan.decisions:
            if decision.trial in unaware:
                self._slots.set_unaware(decision.trial)
            self._carry_out(decision, ready, reached.get(decision.trial))
        for trial_id in plan.retire:
            trial = self.population[trial_id]
            self._leave(trial, TrialStatus.TERMINATED, "it retired", cause="decided", unwound=False)
        return plan

    def _carry_out(self, decision: Decision, ready: Ready, reached: float | None) -> None:
        """Have a trial do what was decided; ``reached`` is where one stood that was at a milestone."""
        trial = self.population[decision.trial]
        if isinstance(decision.next, End):
            failed = ready.cause == "exhausted"
            status = TrialStatus.ERROR if failed else TrialStatus.TERMINATED
            cause: Ending = "failed" if failed else "decided"
            self._leave(trial, status, decision.reason, cause=cause, unwound=False)
            return
        self._slots.set_pending(trial.id, load=not isinstance(decision.source, Keep))
        goes_on = trial.id in self._slots.running and not trial.resting
        if goes_on and not self._slots.must_yield(trial, trial.age if reached is None else reached):
            self._enter(trial)
        else:
            self._queue(trial)

    def _is_news(self, decision: Decision) -> bool:
        """Whether the trial is to go on as it stands, but with another config, or one that moves."""
        if not isinstance(decision.source, Keep) or decision.trial not in self.population:
            return False
        trial, config = self.population[decision.trial], decision.config
        moves = decision.course is not None or trial.course is not None
        return moves or (config is not None and not same(config, trial.config))

    def _offer_idle_slots(self) -> None:
        """Ask what is to be done with free slots, until nothing is."""
        while self._slots.is_idle and not self._books.is_stopped:
            if is_empty(self._decide(Ready(cause="idle", trials=()))):
                return
            self._open_barriers()
            self._dispatch()

    def warn(self, message: str) -> None:
        """Tell the user something, once."""
        if message not in self._warned:
            self._warned.add(message)
            self._step.commands.append(Warn(message=message))

    def _open_barriers(self) -> None:
        while opened := self._books.barriers.first_open():
            barrier, members = opened
            self._decide(Ready(cause="milestone", trials=members, barrier=barrier))

    def _queue(self, trial: Trial) -> None:
        """Give up the slot and, unless the trial waits at a barrier or rests, stand in line for the next."""
        self._slots.free(trial.id)
        self._show(trial)
        if not (trial.arrived or trial.resting):
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
            would_lose = not trial.is_saved and (trial.arrived or trial.resting)
            if excess > 0 and trial.checkpoint and not would_lose:
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
        if given_up := self._books.pins.superfluous(self.population):
            self._record(Forgotten(checkpoints=tuple(ref.id for ref in given_up)))
            self._step.commands.extend(Delete(checkpoint=ref) for ref in given_up)

    def _show(self, trial: Trial) -> None:
        if trial.status.is_live:
            status = TrialStatus.PAUSED if trial.resting else self._slots.status(trial.id)
            self.population.set_status(trial, status)
