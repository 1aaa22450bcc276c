"""The loggers of one run at work: told alike, and none of the user's can end the run."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Self, final

from poptune._base.notices import warn
from poptune._base.ours import is_ours
from poptune._core.events import Event
from poptune._core.mistakes import place_of
from poptune._core.views import WatchedPopulation
from poptune.loggers.logger import Logger, WatchedRun


@final
class LoggersAtWork:
    """Tells the loggers of a run what happens, from entering it to leaving it.

    What a logger of the user's raises is a warning, once for each place that it is raised at; one that cannot
    begin is told nothing more. What ours raise are errors of the disk that the experiment is on: they end the
    run.

    Args:
        loggers: Who is told.
        run: What is shown to them.
    """

    def __init__(self, loggers: Sequence[Logger], run: WatchedRun) -> None:
        self._loggers = loggers
        self._run = run
        self._complained: set[tuple[int, str]] = set()

    def __enter__(self) -> Self:
        self._loggers = [
            logger for logger in self._loggers if self._tell(logger, partial(logger.begin, self._run))
        ]
        return self

    def observe(self, events: Sequence[Event], population: WatchedPopulation) -> None:
        """Show them what is in the journal now."""
        for logger in self._loggers:
            self._tell(logger, partial(logger.observe, events, self._run))

    def __exit__(self, *error: object) -> None:
        for logger in self._loggers:
            self._tell(logger, partial(logger.end, self._run))

    def _tell(self, logger: Logger, call: Callable[[], None]) -> bool:
        """Return whether it took that in."""
        try:
            call()
        except Exception as error:
            if is_ours(logger):
                raise
            for one in error.exceptions if isinstance(error, ExceptionGroup) else [error]:
                self._complain(logger, one)
            return False
        return True

    def _complain(self, logger: Logger, error: Exception) -> None:
        place = place_of("".join(traceback.format_exception(error)))
        if (id(logger), place) in self._complained:
            return
        self._complained.add((id(logger), place))
        where = f" at {place}" if place else ""
        warn(
            f"The logger {type(logger).__name__} raised {type(error).__name__}{where}: {error}. The run goes "
            "on; what the logger has missed is in the journal"
        )
