"""What a logger is, and the run as it is shown to one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, final, runtime_checkable

from poptune._base.layout import Layout
from poptune._base.types import Mode
from poptune._core.events import Created, Event, Reported
from poptune._core.views import WatchedPopulation, WatchedTrial


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedRun:
    """A run as loggers see it: to read, never to change. The views always show how things stand now."""

    population: WatchedPopulation
    layout: Layout
    """Where poptune's own files are."""
    valid_results: Callable[[WatchedTrial], Iterable[Reported]]
    """Reads a trial's results from the journal, in order, without those that a restart made void."""
    journal: Callable[[], Iterable[Event]]
    """Reads all events so far from the journal."""
    resumed: bool = False
    """Whether an earlier session has begun the experiment, and this one continues it."""

    @property
    def created(self) -> Created:
        """How the experiment began: its seed, its metric, its first trials."""
        assert self.population.created is not None
        return self.population.created

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.created.name

    @property
    def metric(self) -> str | None:
        """What is optimised, if anything is."""
        return self.created.metric

    @property
    def mode(self) -> Mode | None:
        """Whether it is minimised or maximised."""
        return self.created.mode

    @property
    def path(self) -> Path:
        """The experiment's folder."""
        return self.layout.root

    @property
    def trials(self) -> Sequence[WatchedTrial]:
        """All trials, by index."""
        return self.population.trials

    def folder(self, trial: WatchedTrial) -> Path:
        """Return the folder that a trial works in; it may not be there yet."""
        return self.layout.trial(trial.spec.folder)


@runtime_checkable
class Logger(Protocol):
    """Writes what happens somewhere else: into files, a database, an experiment tracker.

    Subclass it, or :class:`TrialLogger`, which has a method for each thing that happens to a trial, and give
    an object of yours to ``RunConfig(loggers=[...])``. It is told what is in the journal already, and only
    sees: what it is shown is to be read. It is stored with the experiment, so open files and connections in
    :meth:`begin`. If it raises, that is told once, and the run goes on.

    Example:
        >>> from collections import Counter
        >>> class Counts(Logger):
        ...     def begin(self, run):
        ...         self.counts = Counter()
        ...     def observe(self, events, run):
        ...         self.counts.update(type(event).__name__ for event in events)
        ...     def end(self, run):
        ...         run.path.joinpath("counts.txt").write_text(repr(self.counts))
    """

    def begin(self, run: WatchedRun) -> None:
        """See a session of the experiment begin; before anything else, and again when it is resumed."""
        return

    @abstractmethod
    def observe(self, events: Sequence[Event], run: WatchedRun) -> None:
        """See the events of one turn, which are in the journal now.

        Args:
            events: What has happened, in order; see :mod:`poptune.extending`. The first of a session is
                ``Created``, or ``Resumed``: what was written before may then differ from the journal, which
                ``run.valid_results(trial)`` reads.
            run: All as it stands after the last of them.
        """

    def end(self, run: WatchedRun) -> None:
        """See the session end; ``run.population.completed`` tells whether the experiment is complete."""
        return
