"""What a verification has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from poptune._base.types import CheckpointId, TrialId


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that the journal says otherwise than the machine settles it again."""

    event: int
    """Its place in the journal. Events are counted from 1, also where several share a record."""
    trial: TrialId | None
    what: str
    """A part of a decision, such as ``config`` or ``donor``, or else ``outcome``."""
    journaled: Any
    settled: Any
    """What the machine settles from all that the journal says before."""

    def __str__(self) -> str:
        whose = f", trial {self.trial}" if self.trial else ""
        return (
            f"event {self.event}{whose}: {self.what} is {self.journaled!r} in the journal, but "
            f"{self.settled!r} follows from what is before it"
        )


@dataclass(frozen=True, slots=True)
class BrokenCheckpoint:
    """A checkpoint that should be there, and is not, or is not as it was written."""

    checkpoint: CheckpointId
    problem: str

    def __str__(self) -> str:
        return self.problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What :func:`poptune.verify` has found."""

    path: str
    """The experiment's folder."""
    events: int
    """How many events the journal holds."""
    decisions: int
    """How many decisions."""
    configs_folded: int
    """For how many of these the config is taken from the journal, because the user's own code made it."""
    decisions_folded: int
    """How many of these are wholly taken from the journal, for the same reason."""
    differences: tuple[Difference, ...]
    """Where the journal does not follow from itself. A replay that finds many is broken off."""
    checkpoints: int
    """How many checkpoints should be there."""
    broken_checkpoints: tuple[BrokenCheckpoint, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.differences or self.broken_checkpoints)

    def __str__(self) -> str:
        lines = [
            self.path,
            f"{self.events} events with {self.decisions} decisions: {len(self.differences)} differences",
            *(f"  {difference}" for difference in self.differences),
        ]
        if self.decisions_folded:
            lines.append(f"{self.decisions_folded} decisions are the user's own code's: not made again")
        if self.configs_folded:
            lines.append(f"{self.configs_folded} configs are the user's own code's: not made again")
        lines += [
            f"{self.checkpoints} checkpoints: {len(self.broken_checkpoints)} missing or changed",
            *(f"  {broken}" for broken in self.broken_checkpoints),
        ]
        return "\n".join(lines)
