"""The loop: messages become events, events become records and commands; records are kept, then acted on."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from poptune._base.copies import copied
from poptune._base.notices import warn
from poptune._base.types import TrialId, TrialStatus
from poptune._core.events import (
    Completed,
    Declined,
    Event,
    Failed,
    Input,
    PopulationStopped,
    Reported,
    ResidentsLimited,
    Returned,
    SlotsChanged,
    Ticked,
)
from poptune._core.experiment import Experiment, Step
from poptune._core.views import WatchedExperiment, WatchedPopulation
from poptune._keeping.journal import Journal
from poptune._running.controller.cleaning import Cleaning
from poptune._running.controller.effects import Effects
from poptune._running.controller.interrupts import Interrupts
from poptune._running.controller.silence import Silence
from poptune._running.executors.base import Workers
from poptune._training import protocol
from poptune._training.memory import CHECK_S, LEAST_FREE, available_memory
from poptune.errors import ExperimentError, InternalError
from poptune.stoppers import Stopper, TimeoutStopper, may_end_all_unasked

_POLL_S = 0.1
_GRACE_S = 5.0


class Observer(Protocol):
    """Someone who is shown what has been journaled, and cannot steer."""

    def observe(self, events: Sequence[Event], population: WatchedPopulation) -> None:
        """See records that are in the journal now, and the population after them."""
        ...


class Watcher(Observer, Protocol):
    """An observer who also sees that nothing happens."""

    def idle(self) -> None:
        """See a turn of the loop without any record."""
        ...


class Listener(Protocol):
    """Someone who hears what trials print."""

    def output(self, trial: TrialId, stream: str, line: str) -> None:
        """Hear one line; ``stream`` is ``stdout`` or ``stderr``."""
        ...


class Display(Observer, Listener, Protocol):
    """Someone who shows the experiment while it runs."""

    def tick(self, experiment: WatchedExperiment) -> None:
        """Be given a moment, many times a second."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the user's side of the controller may end a run, or a trial, by."""

    stoppers: Sequence[Stopper] = ()
    time_budget_s: float | None = None
    time_spent_s: float = 0.0
    """What earlier sessions have spent of the budget."""
    report_timeout_s: float | None = None


class Controller:
    """Runs an experiment to its end, or until it is interrupted."""

    def __init__(
        self,
        *,
        experiment: Experiment,
        journal: Journal,
        workers: Workers,
        effects: Effects,
        cleaning: Cleaning,
        callbacks: Sequence[Watcher],
        observers: Sequence[Observer],
        listeners: Sequence[Listener],
        display: Display,
        limits: Limits,
    ) -> None:
        self._experiment = experiment
        self._journal = journal
        self._workers = workers
        self._effects = effects
        self._cleaning = cleaning
        self._callbacks = callbacks
        self._observers = [*observers, display]
        self._listeners = [*listeners, display]
        self._display = display
        self._limits = limits
        self._watching = [stopper for stopper in limits.stoppers if may_end_all_unasked(stopper)]
        timers = (stopper for stopper in self._watching if isinstance(stopper, TimeoutStopper))
        self._may_tell = set(map(id, timers))
        self._silence = Silence(limits.report_timeout_s)
        self._told: set[str] = set()
        self._hosts: dict[TrialId, dict[str, Any]] = {}
        self._memory_checked_s = time.monotonic()

    def run(self, first: Step) -> bool:
        """Act on a step that is in the journal, then handle all that follows from it.

        Returns:
            Whether the experiment is complete; if not, it was interrupted.
        """
        started_s = time.monotonic()
        with Interrupts() as interrupts:
            try:
                self._act(first)
                while not self._experiment.finished and not interrupts.requested:
                    self._handle(self._wait(started_s))
            finally:
                self._workers.close(_GRACE_S)
                self._hear_last_words()
                self._cleaning.close()
        if self._experiment.finished:
            self._handle([Completed(time_s=time.time())])
        return self._experiment.finished

    def _hear_last_words(self) -> None:
        """Hear what trials printed while they were left; anything else that they said comes too late."""
        for message in self._workers.poll(0.0):
            if isinstance(message, protocol.Output):
                self._repeat(message)

    def _repeat(self, output: protocol.Output) -> None:
        for listener in self._listeners:
            listener.output(output.trial, output.stream, output.line)

    def _tell(self, doubt: protocol.Doubt) -> None:
        if doubt.kind not in self._told:
            self._told.add(doubt.kind)
            warn(f"In trial {self._experiment.population[doubt.trial].index}: {doubt.message}")

    def _wait(self, started_s: float) -> list[Input]:
        messages = self._workers.poll(_POLL_S)
        inputs = [event for message in messages for event in self._understand(message)]
        budget = self._limits.time_budget_s
        if budget is not None and self._limits.time_spent_s + time.monotonic() - started_s > budget:
            reason = f"the time budget of {budget:g} s is spent"
            inputs.append(PopulationStopped(time_s=time.time(), reason=reason))
        inputs.extend(self._ended_by_stoppers())
        inputs.extend(self._spare_memory())
        wakes_at_s = self._experiment.wakes_at_s
        if wakes_at_s is not None and time.time() >= wakes_at_s:
            inputs.append(Ticked(time_s=time.time()))
        for trial, reason in self._silence.too_long(self._experiment.running).items():
            self._workers.kill(trial, reason)
        return inputs

    def _ended_by_stoppers(self) -> list[Input]:
        """Ask those that may watch the clock; most of them can tell only once they have seen a result."""
        for stopper in self._watching:
            if id(stopper) in self._may_tell and _ends_all(stopper):
                self._watching = []
                return [PopulationStopped(time_s=time.time(), reason=f"{type(stopper).__name__} ended all")]
        return []

    def _handle(self, inputs: Sequence[Input]) -> None:
        """One turn: fold all inputs, journal what they led to, act on it, show it."""
        turn = Step()
        with _users_code_named(self._experiment):
            for event in inputs:
                step = self._experiment.handle(event)
                turn.events.extend(step.events)
                turn.commands.extend(step.commands)
        if turn.events:
            self._journal.append(turn.events)
        self._act(turn)

    def _act(self, step: Step) -> None:
        """Do what a journaled step commands, and show it; the user's callbacks see it before trials go on."""
        for callback in self._callbacks:
            if step.events:
                callback.observe(step.events, self._experiment.population)
            else:
                callback.idle()
        for warning in self._effects.carry_out(step.commands):
            warn(warning)
        self._silence.ordered(step.commands)
        if step.events:
            for observer in self._observers:
                observer.observe(step.events, self._experiment.population)
        self._cleaning.tidy()
        self._display.tick(self._experiment)

    def _understand(self, message: protocol.Message | protocol.News) -> list[Input]:
        """Return a worker's message as events of the core."""
        now = time.time()
        match message:
            case protocol.Result():
                return self._understand_result(message, now)
            case protocol.CodeReturned() | protocol.CodeDeclined():
                kind = Returned if isinstance(message, protocol.CodeReturned) else Declined
                return [kind(time_s=now, trial=message.trial, incarnation=message.incarnation)]
            case protocol.CodeFailed(refused=refused) if refused:
                raise ExperimentError(
                    f"{refused} What is in the journal is safe: make room on the disk, or look to its "
                    "health, then continue with Tuner.restore"
                )
            case protocol.CodeFailed():
                return [
                    Failed(
                        time_s=now,
                        trial=message.trial,
                        incarnation=message.incarnation,
                        error=message.error,
                        damaged=message.damaged,
                        is_certain=message.is_certain,
                    )
                ]
            case protocol.Lost(trial=trial, reason=reason):
                incarnation = self._experiment.population[trial].incarnation
                return [Failed(time_s=now, trial=trial, incarnation=incarnation, error=reason)]
            case protocol.Output():
                self._repeat(message)
            case protocol.Doubt():
                self._tell(message)
            case protocol.Capacity(slots=slots):
                return [SlotsChanged(time_s=now, slots=slots)]
            case protocol.Crowded():
                return [self._one_resident_less()]
            case _:
                pass
        return []

    def _understand_result(self, result: protocol.Result, now: float) -> list[Input]:
        self._silence.heard(result.trial)
        stop, metrics = result.stop, self._complete(result)
        overruled, ends_all = "", ""
        for stopper in self._limits.stoppers:
            says_stop, says_all = _ask(stopper, result, metrics)
            self._may_tell.add(id(stopper))
            name = type(stopper).__name__
            overruled = overruled or (f"{name} said so" if says_stop else "")
            ends_all = ends_all or (f"{name} ended all" if says_all else "")
        if overruled and not stop:
            metrics = {**metrics, "done": True}
        reported = Reported(
            time_s=now,
            trial=result.trial,
            incarnation=result.incarnation,
            iteration=result.iteration,
            metrics=metrics,
            checkpoint=result.checkpoint,
            waiting=result.waiting,
            stop=stop or overruled,
            overruled=bool(overruled) and not stop,
        )
        if result.stops_population:
            ends_all = stop
        if ends_all:
            self._watching = []
        return [reported, PopulationStopped(time_s=now, reason=ends_all)] if ends_all else [reported]

    def _complete(self, result: protocol.Result) -> dict[str, Any]:
        """Add to the metrics what the trial does not tell with each of its results."""
        if result.host is not None:
            self._hosts[result.trial] = {"trial_id": result.trial, **result.host}
        metrics = result.metrics
        metrics |= self._hosts.get(result.trial) or {"trial_id": result.trial}
        metrics["date"] = _date(metrics.get("timestamp", 0))
        return metrics

    def _spare_memory(self) -> list[Input]:
        """Have a suspended trial evicted when memory runs low."""
        now = time.monotonic()
        if now - self._memory_checked_s < CHECK_S:
            return []
        self._memory_checked_s = now
        free = available_memory()
        if free is None or free > LEAST_FREE:
            return []
        return [self._one_resident_less()]

    def _one_resident_less(self) -> ResidentsLimited:
        trials = self._experiment.population.trials
        held = {TrialStatus.RUNNING, TrialStatus.PAUSED}
        residents = sum(trial.status in held for trial in trials)
        return ResidentsLimited(time_s=time.time(), limit=residents - 1)


@contextmanager
def _users_code_named(experiment: Experiment) -> Iterator[None]:
    """Have an error that a function of the user's raises in a decision say how the run goes on."""
    try:
        yield
    except InternalError:
        raise
    except Exception as error:
        error.add_note(
            f"This was raised while {type(experiment.scheduler).__name__} decided. The results so far are "
            "kept: mend it and run Tuner.restore(path).fit() in the same script, or give the scheduler, "
            "Tuner.restore(path, scheduler=...)"
        )
        raise


@functools.lru_cache(maxsize=1)  # many results may come in a second
def _date(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp).astimezone().strftime("%Y-%m-%d_%H-%M-%S")


def _ends_all(stopper: Stopper) -> bool:
    """Return whether a stopper ends all, asked without a new result."""
    try:
        return stopper.stop_all()
    except Exception as error:
        error.add_note(
            f"This was raised by {type(stopper).__name__}.stop_all. The results so far are kept: mend it, "
            "and continue with Tuner.restore(...)"
        )
        raise


def _ask(stopper: Stopper, result: protocol.Result, metrics: Mapping[str, Any]) -> tuple[bool, bool]:
    """Return whether a stopper ends the trial with this result, and whether it ends all."""
    try:
        return stopper(result.trial, copied(dict(metrics))), stopper.stop_all()
    except Exception as error:
        error.add_note(
            f"This was raised by {type(stopper).__name__}, at iteration {result.iteration} of trial "
            f"{result.trial}. The results so far are kept: mend it and run Tuner.restore(path).fit() in the "
            "same script, or give it, Tuner.restore(path, stop=...)"
        )
        raise
