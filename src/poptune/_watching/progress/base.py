"""What all ways of showing an experiment share: when to draw, and what to say."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, Self, final

from poptune._base.types import TrialId
from poptune._core.events import Event
from poptune._core.views import WatchedExperiment, WatchedPopulation
from poptune._watching.progress.estimate import remaining_s, share_done
from poptune._watching.progress.facts import RunFacts
from poptune._watching.progress.machine import memory_text
from poptune._watching.progress.news import News, last_words, news_of
from poptune._watching.progress.view import View, view_of

Clock = Callable[[], float]

_MOST_WORK = 0.02
"""Fraction of the time that may go into drawing: the cores belong to the training."""


class Progress(Protocol):
    """Shows an experiment while it runs, and cannot steer it."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def observe(self, events: Sequence[Event], population: WatchedPopulation) -> None:
        """See records that are in the journal now, and the population after them."""
        ...

    def output(self, trial: TrialId, stream: str, line: str) -> None:
        """Hear one line that a trial printed."""
        ...

    def tick(self, experiment: WatchedExperiment) -> None:
        """Draw, if it is time to; almost always it is not."""
        ...

    def remark(self, text: str) -> None:
        """Say something that no record tells of; also before the beginning and after the end."""
        ...

    def finish(self, *, completed: bool) -> None:
        """Say the last words."""
        ...


class Watcher(ABC):
    """A :class:`Progress` whose subclasses say how things look.

    Args:
        facts: What is known of the run.
        clock: The time in seconds.
    """

    def __init__(self, facts: RunFacts, *, clock: Clock = time.monotonic) -> None:
        self.facts = facts
        self._clock = clock
        self._started_s = self._due_s = self._soonest_s = clock()
        self._experiment: WatchedExperiment | None = None
        self._population: WatchedPopulation | None = None
        self._share_at_start: float | None = None
        self._is_open = False
        self._known_failures: set[tuple[str, str]] = set()

    @abstractmethod
    def pace(self, elapsed_s: float) -> tuple[float, float]:
        """Return seconds from one drawing to the next: at least, and when nothing happens."""

    @abstractmethod
    def most_rows(self) -> int:
        """Return for how many trials there is room."""

    @abstractmethod
    def start(self) -> None:
        """Begin to show."""

    @abstractmethod
    def show(self, view: View) -> None:
        """Show where the experiment stands."""

    @abstractmethod
    def say(self, news: News) -> None:
        """Show a line that stays."""

    @abstractmethod
    def repeat(self, name: str, line: str) -> None:
        """Show a line that a trial printed."""

    @abstractmethod
    def stop(self) -> None:
        """Leave what was shown last where it is."""

    @final
    def __enter__(self) -> Self:
        self._started_s = self._due_s = self._soonest_s = self._clock()
        self._is_open = True
        self.start()
        return self

    @final
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    @final
    def observe(self, events: Sequence[Event], population: WatchedPopulation) -> None:
        """Say what is worth a line, and draw soon."""
        self._population = population
        for news in news_of(events, population, self.facts, self._known_failures):
            self.say(news)
        self._due_s = min(self._due_s, self._soonest_s)

    @final
    def output(self, trial: TrialId, stream: str, line: str) -> None:
        """Show a line that a trial printed, with the trial's name."""
        name: str = trial
        if self._population is not None and trial in self._population:
            name = f"trial {self._population[trial].index}"
        self.repeat(name, line)
        self._due_s = min(self._due_s, self._soonest_s)

    @final
    def tick(self, experiment: WatchedExperiment) -> None:
        """Draw, if it is time to."""
        if self._clock() >= self._due_s:
            self._draw(experiment)

    @final
    def remark(self, text: str) -> None:
        """Say a line that stays."""
        self.say(News("experiment", text))

    @final
    def finish(self, *, completed: bool) -> None:
        """Show the end, and say the last words below it."""
        self._close()
        elapsed_s = self._clock() - self._started_s
        trials = () if self._population is None else self._population.trials
        for news in last_words(trials, self.facts, elapsed_s=elapsed_s, completed=completed):
            self.say(news)

    def _draw(self, experiment: WatchedExperiment) -> None:
        before_s = self._clock()
        self._experiment = experiment
        elapsed_s = before_s - self._started_s
        self.show(self._view(experiment, elapsed_s))
        after_s = self._clock()
        rest_s = (after_s - before_s) / _MOST_WORK
        busy_s, idle_s = self.pace(elapsed_s)
        self._soonest_s = after_s + max(busy_s, rest_s)
        self._due_s = after_s + max(idle_s, rest_s)

    def _view(self, experiment: WatchedExperiment, elapsed_s: float) -> View:
        share = share_done(experiment.population, self.facts)
        if self._share_at_start is None:
            self._share_at_start = share
        return view_of(
            experiment,
            self.facts,
            elapsed_s=elapsed_s,
            remaining_s=remaining_s(
                self.facts,
                elapsed_s=elapsed_s,
                share=share,
                share_at_start=self._share_at_start,
            ),
            memory=memory_text(),
            most_rows=self.most_rows(),
        )

    def _close(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        try:
            if self._experiment is not None:
                self._draw(self._experiment)
        finally:
            self.stop()
