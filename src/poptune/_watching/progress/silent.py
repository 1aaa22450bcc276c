"""Nothing at all, for ``verbose=0``."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from poptune._base.types import TrialId
from poptune._core.events import Event
from poptune._core.views import WatchedExperiment, WatchedPopulation


class Silent:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def observe(self, events: Sequence[Event], population: WatchedPopulation) -> None:
        """See nothing."""

    def output(self, trial: TrialId, stream: str, line: str) -> None:
        """Hear nothing."""

    def tick(self, experiment: WatchedExperiment) -> None:
        """Draw nothing."""

    def remark(self, text: str) -> None:
        """Say nothing."""

    def finish(self, *, completed: bool) -> None:
        """Say nothing."""
