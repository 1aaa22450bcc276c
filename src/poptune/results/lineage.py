"""Lineages: how the states of a population came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from poptune._base.equality import same
from poptune._base.types import Config, TrialId
from poptune._core.events import Reported
from poptune._core.schedule import Schedule
from poptune.results.frames import metrics_frame
from poptune.results.history import Exploit, Segment
from poptune.results.recording import Recording

if TYPE_CHECKING:
    import pandas as pd


_LONGEST = 60
"""How much is shown of a value, which may be an array or a network."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """The ancestry of one state: the segments that led to it, whichever trial trained them.

    Each segment begins at the iteration at which the one before ends, the first at 0. The last one is empty
    where the trial has taken over a checkpoint or a config and has not reported since.
    """

    segments: tuple[Segment, ...]
    _recording: Recording

    @property
    def schedule(self) -> Schedule:
        """The config over the iterations."""
        changes: dict[int, Config] = {}
        for before, segment in zip((None, *self.segments), self.segments, strict=False):
            if before is None or not same(segment.config, before.config):
                changes[segment.after] = segment.config
        return Schedule(changes.items())

    @property
    def metrics_dataframe(self) -> pd.DataFrame:
        """The stitched curve: exactly one row an iteration, from the trial that trained it."""
        return metrics_frame(self.results())

    def results(self) -> list[Reported]:
        """Return the results along the ancestry, one an iteration, in order."""
        return [result for part in self._recording.results_in(self.segments) for result in part]

    def __str__(self) -> str:
        """One line a segment."""
        return "\n".join(map(self._line, self.segments))

    def _line(self, segment: Segment) -> str:
        donor = "" if segment.donor is None else self._recording.population[segment.donor].index
        copied = "" if segment.donor is None else f"  copied trial {donor}"
        config = ", ".join(f"{key}={_short(value)}" for key, value in segment.config.items())
        return f"{segment.after:>6} to {segment.until:<6} {segment.index:>4}  {config}{copied}"

    def __repr__(self) -> str:
        copies = sum(segment.donor is not None for segment in self.segments)
        last = self.segments[-1]
        return f"<Lineage of trial {last.index}: {last.until} iterations, {copies} exploits>"


@dataclass(frozen=True, slots=True)
class PopulationLineage:
    """What all trials have trained, and who copied whom."""

    segments: Mapping[TrialId, tuple[Segment, ...]]
    """What each trial has trained itself, in order, what it gave up at an exploit included."""
    exploits: tuple[Exploit, ...]
    """In the order in which they were decided."""
    _recording: Recording

    def results(self, trial: TrialId) -> list[list[Reported]]:
        """Return the results of each of a trial's segments."""
        return self._recording.results_in(self.segments[trial])

    def __repr__(self) -> str:
        return f"<PopulationLineage: {len(self.segments)} trials, {len(self.exploits)} exploits>"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else " ".join(str(value).split())[:_LONGEST]
