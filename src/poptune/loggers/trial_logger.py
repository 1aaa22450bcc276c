"""A logger with a method for each thing that happens to a trial."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, final

from poptune._base.attempts import attempt
from poptune._base.course import Curve
from poptune._base.types import TrialId
from poptune._core.events import Created, Event, Failed, Left, Planned, Reported, Restarted, Resumed, Spawned
from poptune._core.scheduler import Decision, Fresh, Load
from poptune._core.views import WatchedTrial
from poptune.loggers.logger import Logger, WatchedRun


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """A trial goes on from a checkpoint, or with the config of one: another's, or its own."""

    weights_from: WatchedTrial
    """Whose state it goes on with; the trial itself if it keeps its own, or goes back to it."""
    config_from: WatchedTrial
    """Whose config it has from now on, before that was explored."""
    iteration: int
    """Where it stood."""
    goes_on_from: int
    """The iteration that it goes on from."""
    decision: Decision
    """All that was decided, with the reason."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """A trial goes back."""

    cause: str
    """``failure``, ``resumed``, ``evicted``, ``damaged``, ``detoured``, ``reconfigured``; or ``fresh``, if
    the scheduler has it begin from nothing."""
    iteration: int
    """The iteration that it goes on from."""
    void: range
    """Which of its results count no longer, numbered from 1 in the order of their reports. They will be
    reported again; ``run.valid_results(trial)`` reads those that count."""


class TrialLogger(Logger):
    """Override the methods you need; the others do nothing.

    They are called in the order in which things happened. A trial's view shows how it stands after the whole
    turn, so take what belongs to a result or an exploit from that.

    Example:
        >>> class Printer(TrialLogger):
        ...     def on_result(self, run, trial, result):
        ...         print(trial.index, result.iteration, result.metrics[run.metric])
        ...     def on_exploit(self, run, trial, takeover):
        ...         print(trial.index, "copies", takeover.weights_from.index, "at", takeover.iteration)
        >>> import poptune as tune
        >>> run_config = tune.RunConfig(loggers=["csv", Printer()])
    """

    def on_trial(self, run: WatchedRun, trial: WatchedTrial) -> None:
        """See a trial, before anything else of it: at the beginning, when it is born, and after a resume."""

    def on_result(self, run: WatchedRun, trial: WatchedTrial, result: Reported) -> None:
        """See a result: its ``iteration``, its ``metrics``, and the number of its ``checkpoint``, if any."""

    def on_exploit(self, run: WatchedRun, trial: WatchedTrial, takeover: Takeover) -> None:
        """See a trial go on from a checkpoint, or with the config of one."""

    def on_config(
        self,
        run: WatchedRun,
        trial: WatchedTrial,
        config: Mapping[str, Any],
        course: Mapping[str, Curve],
    ) -> None:
        """See new hyperparameters, after :meth:`on_exploit` if they come with it.

        Args:
            run: The run.
            trial: Whose they are.
            config: All of them.
            course: Those that move over the time attribute from now on, by dotted path.
        """

    def on_restart(self, run: WatchedRun, trial: WatchedTrial, restart: Restart) -> None:
        """See a trial go back to a checkpoint of its own, or to its beginning."""

    def on_failure(self, run: WatchedRun, trial: WatchedTrial, error: str) -> None:
        """See a trial fail, with the traceback; it may be restarted."""

    def on_end(self, run: WatchedRun, trial: WatchedTrial) -> None:
        """See a trial end; its ``status``, ``reason`` and ``error`` tell how."""

    @final
    def observe(self, events: Sequence[Event], run: WatchedRun) -> None:
        """Call what the events ask for; one that raises does not keep the others from being called.

        Raises:
            ExceptionGroup: Several have raised; the error of one alone is raised as it is.
        """
        errors: list[Exception] = []
        for event in events:
            for call in self._calls(event, run):
                attempt(call, or_else=errors.append)
        if errors:
            raise errors[0] if len(errors) == 1 else ExceptionGroup(type(self).__name__, errors)

    def _calls(self, event: Event, run: WatchedRun) -> Iterator[Callable[[], None]]:
        trials = run.population
        match event:
            case Reported():
                yield partial(self.on_result, run, trials[event.trial], event)
            case Created() | Resumed():
                yield from (partial(self.on_trial, run, trial) for trial in run.trials)
            case Spawned():
                yield from (partial(self.on_trial, run, trials[spec.id]) for spec in event.trials)
            case Planned(plan=plan):
                for decision in plan.decisions:
                    yield from self._calls_of(decision, run)
            case Restarted():
                trial = trials[event.trial]
                restart = Restart(cause=event.cause, iteration=trial.iteration, void=_void(trial))
                yield partial(self.on_restart, run, trial, restart)
            case Failed(damaged=""):
                yield partial(self.on_failure, run, trials[event.trial], event.error)
            case Left():
                yield partial(self.on_end, run, trials[event.trial])
            case _:
                pass

    def _calls_of(self, decision: Decision, run: WatchedRun) -> Iterator[Callable[[], None]]:
        trial, source = run.population[decision.trial], decision.source
        if isinstance(source, Load) or decision.config_donor is not None:
            yield partial(self.on_exploit, run, trial, _takeover(decision, run))
        if isinstance(source, Fresh):
            restart = Restart(cause="fresh", iteration=0, void=range(0))
            yield partial(self.on_restart, run, trial, restart)
        if decision.config is not None or decision.course is not None:
            config = trial.config if decision.config is None else decision.config
            yield partial(self.on_config, run, trial, config, decision.course or {})


def _takeover(decision: Decision, run: WatchedRun) -> Takeover:
    source, stood = decision.source, decision.iteration or 0
    weights_from: TrialId = decision.trial
    config_from = decision.config_donor or decision.trial
    goes_on_from = stood
    if isinstance(source, Load):
        weights_from = source.checkpoint.trial
        goes_on_from = source.checkpoint.iteration
        if source.parts == "both" and decision.config_donor is None:
            config_from = weights_from
    elif isinstance(source, Fresh):
        goes_on_from = 0
    return Takeover(
        weights_from=run.population[weights_from],
        config_from=run.population[config_from],
        iteration=stood,
        goes_on_from=goes_on_from,
        decision=decision,
    )


def _void(trial: WatchedTrial) -> range:
    """The results that went with the last restart; again, if nothing was reported since an earlier one."""
    first, last = trial.superseded[-1] if trial.superseded else (1, 0)
    return range(first, last + 1) if last == trial.reports else range(0)
