"""Who copies whom: what a selector is asked, and what it answers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from poptune._base.types import CheckpointId, Config, TrialId
from poptune._core.scheduler import CheckpointRef, PopulationView, Random, Ready
from poptune.schedulers.part import Part, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Where one trial goes on from.

    Args:
        trial: Who awaits a decision.
        donor: Whose state and config it takes over, to explore from there: another trial, or itself. With
            ``None`` it goes on as it is, or, if it has failed too often, ends.
        checkpoint: Which of the donor's states, if not its newest: one that is kept.
        trained_with: The config that this state was trained with, if not the one that the donor has now.
        config: What exploring begins with, if not with that: such as the trial's own.
        explores: Whether this config is changed by the explorer.
        reason: Why, in a few words, for logs and results.
        seen: The scores and figures that the choice was based on, beside the last scores of the two, which
            are noted in any case as ``own`` and ``donor``.
        facts: What the selector's own fold needs beyond that; it is in ``decision.facts["selector"]`` there.
    """

    trial: TrialId
    donor: TrialId | None = None
    checkpoint: CheckpointRef | None = None
    trained_with: Config | None = None
    config: Config | None = None
    explores: bool = True
    reason: str = ""
    seen: Mapping[str, float | None] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Selection:
    """What was chosen, for all that await a decision.

    Args:
        choices: One for each, in their order.
        nobody: Whether no trial at all could be copied, for want of a score that is a finite number. The user
            is told of it, once.
        pin: Checkpoints that must outlive retention, so that a later choice can name them.
        unpin: Checkpoints that need not any longer.
    """

    choices: Sequence[Choice]
    nobody: bool = False
    pin: tuple[CheckpointId, ...] = ()
    unpin: tuple[CheckpointId, ...] = ()


@runtime_checkable
class Selector(Part[State], Protocol[State]):
    """Chooses who copies whom. Subclass it; all but :meth:`select` is for those that remember something.

    Example:
        A tournament of two: who meets a better one copies it.

        >>> import math
        >>> from dataclasses import dataclass
        >>> from poptune.schedulers import Choice, PopulationBasedTraining, Selection, Selector, reborn
        >>> @dataclass(frozen=True)
        ... class Tournament(Selector[None]):
        ...     def select(self, state, population, ready, random) -> Selection:
        ...         if ready.cause == "exhausted":
        ...             return reborn(population, ready, random)
        ...         scored = [one for one in population.trials if one.status.is_live and finite(one)]
        ...         return Selection([self.meet(population[one], scored, random) for one in ready.trials])
        ...
        ...     def meet(self, trial, scored, random) -> Choice:
        ...         others = sorted((one.last_score, one.id) for one in scored if one.id != trial.id)
        ...         if not others or not finite(trial):
        ...             return Choice(trial=trial.id, donor=others[-1][1] if others else None)
        ...         score, opponent = others[random("opponent", trial.id).integers(len(others))]
        ...         wins = score > trial.last_score
        ...         return Choice(trial=trial.id, donor=opponent if wins else None, seen={"opponent": score})
        >>> def finite(trial) -> bool:
        ...     return trial.last_score is not None and math.isfinite(trial.last_score)
        >>> pbt = PopulationBasedTraining(selector=Tournament(), hyperparam_mutations={"lr": [0.1, 0.01]})
    """

    @abstractmethod
    def select(self, state: State, population: PopulationView, ready: Ready, random: Random) -> Selection:
        """Choose for each ready trial; for all of a barrier at once. Changes nothing.

        What may be chosen from is as it was before: if one that is chosen for donates, too, it is copied as
        it stands now, not as what it becomes.

        Args:
            state: What was folded.
            population: All trials.
            ready: Who awaits a decision, and why. At *exhausted* it is a trial that has failed too often:
                :func:`reborn` chooses whom it copies, unless there is a better way.
            random: ``random(name, trial)`` is the generator for one draw, about one of the ready trials. One
                name means one draw. Names that begin with ``start:`` or ``explore:`` are taken.
        """
        ...
