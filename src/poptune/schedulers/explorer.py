"""How a config changes: what an explorer is asked, and what it answers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

from poptune._base.types import Config, TrialId
from poptune._core.population import TrialView
from poptune._core.scheduler import CheckpointRef, PopulationView
from poptune.schedulers.part import Part, State

if TYPE_CHECKING:
    import numpy as np

Draw = Callable[[str], "np.random.Generator"]
"""``draw(path)``: the generator for the hyperparameter at a dotted path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One trial that takes over a state, and is to train it with a new config.

    Args:
        recipient: The trial. Its ``config`` is still what it trained with up to now.
        donor: Whose state it takes over; the recipient itself if it keeps its own.
        checkpoint: That state.
        config: What exploring begins with, most often what that state was trained with. It may be changed in
            place.
        together: All that take over a state in the same plan, with their new configs; ``None`` stands for
            those that come after this one.
    """

    recipient: TrialView
    donor: TrialView
    checkpoint: CheckpointRef
    config: Config
    together: Mapping[TrialId, Config | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Explored:
    """What a trial trains with from now on.

    Args:
        config: The whole config.
        facts: What the explorer's own fold needs beyond it: it finds them in ``decision.facts["explorer"]``.
    """

    config: Config
    facts: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class Explorer(Part[State], Protocol[State]):
    """Changes configs. Subclass it; all but :meth:`explore` is for those that have more to say.

    Example:
        >>> from dataclasses import dataclass
        >>> from poptune.schedulers import Copy, Explored, Explorer, PopulationBasedTraining
        >>> @dataclass(frozen=True)
        ... class AddNoise(Explorer[None]):
        ...     sd: float
        ...
        ...     def explore(self, state, population, copy, draw) -> Explored:
        ...         return Explored({"h": copy.config["h"] + draw("h").normal(0, self.sd)})
        >>> pbt = PopulationBasedTraining(explorer=AddNoise(0.1))
    """

    @property
    def hyperparameters(self) -> Mapping[str, Any]:
        """What it changes, nested as the config is; each with what it may become. Empty if unknown."""
        return {}

    @property
    def runs_user_code(self) -> bool:
        """Whether it calls functions of the user's, which none but they themselves may run again."""
        return False

    def for_space(self, param_space: Mapping[str, Any]) -> Self:
        """Return this explorer brought together with the ``param_space``.

        Raises:
            ConfigurationError: They do not go together.
        """
        return self

    @abstractmethod
    def explore(self, state: State, population: PopulationView, copy: Copy, draw: Draw) -> Explored:
        """Return the config of one trial that takes over a state. Changes nothing.

        Args:
            state: What was folded.
            population: All trials, as they were before the plan.
            copy: Who takes over what.
            draw: ``draw(path)`` is the generator for the hyperparameter there. One path means one draw.
        """
        ...
