"""What selectors and explorers share: a state that is folded, if they remember anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar, cast

from poptune._core.events import Left, Planned, Reported, Restarted
from poptune._core.scheduler import PopulationView
from poptune._core.trial_spec import TrialSpec

State = TypeVar("State")


class Part(Protocol[State]):
    """A part of an algorithm. What it must remember is folded, so that a journal can bring it back."""

    def init(self, trials: Sequence[TrialSpec]) -> State:
        """Return the state before anything happened; by default there is none."""
        return cast("State", None)  # whoever has a state says what it begins with

    def fold(
        self, state: State, event: Reported | Planned | Restarted | Left, population: PopulationView
    ) -> State:
        """Return the state after one more record; ``state`` may be changed in place."""
        return state
