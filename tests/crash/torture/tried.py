"""What every part of the torture answers with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tried:
    """Something was done to a run, and it was resumed."""

    where: str
    problems: list[str]
    """What was wrong in the end; empty if nothing was."""
    of: int = 0
    """How many such trials there are about."""
