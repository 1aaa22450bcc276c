"""What becomes of choices: the decisions of Population Based Training, and what its user is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from poptune._base.copies import copied
from poptune._base.ours import is_ours
from poptune._base.types import Config, TrialId
from poptune._core.population import TrialView
from poptune._core.scheduler import CheckpointRef, Decision, End, Load, PopulationView, Random, Run
from poptune.schedulers.explorer import Copy, Explored, Explorer
from poptune.schedulers.milestones import Milestones
from poptune.schedulers.selector import Choice
from poptune.search_space.values import without_numpy_scalars

NO_CHECKPOINT = (
    "A trial should have copied a better one, but that one has saved no checkpoint, so it goes on as it is. "
    "Population Based Training needs checkpoints: pass one to each `report(metrics, checkpoint=...)`, at "
    "least once every perturbation_interval."
)
STALE_CHECKPOINT = (
    "A trial copies a checkpoint that is older than the last milestone of the trial that saved it. Save one "
    "at every perturbation_interval (or make the interval a multiple of yours), so that the newest state is "
    "copied."
)


@dataclass(slots=True, kw_only=True)
class Copying:
    """One plan in the making.

    Args:
        milestones: When trials check in.
        run: Makes the stretch from an age to the next milestone.
        explorer: Who makes the new configs.
        state: What the explorer has folded.
        population: All trials.
        random: Where draws come from.
    """

    milestones: Milestones
    run: Callable[[float], Run]
    explorer: Explorer[Any]
    state: Any
    population: PopulationView
    random: Random
    warnings: list[str] = field(default_factory=list)
    """What the user is to be told of it, in the order in which it was found."""

    def decisions(self, choices: Sequence[Choice], *, are_exhausted: bool) -> Iterator[Decision]:
        """Yield the decision that follows from each choice; of trials that failed too often, or of others."""
        sources = [self._source(choice) for choice in choices]
        pairs = list(zip(choices, sources, strict=True))
        together: dict[TrialId, Config | None] = {
            choice.trial: None for choice, source in pairs if source is not None
        }
        for choice, source in pairs:
            if source is not None:
                if not are_exhausted and choice.checkpoint is None:
                    self._warn_if_stale(source)
                decision = self._copy(choice, source, together, forgives=are_exhausted)
                together[choice.trial] = decision.config
                yield decision
            elif are_exhausted:
                yield _end(choice)
            else:
                yield self._go_on(choice)

    def _source(self, choice: Choice) -> tuple[TrialView, CheckpointRef] | None:
        """Return the donor with its checkpoint, if there are both."""
        if choice.donor is None:
            return None
        donor = self.population[choice.donor]
        checkpoint = choice.checkpoint or donor.checkpoint
        return None if checkpoint is None else (donor, checkpoint)

    def _warn_if_stale(self, source: tuple[TrialView, CheckpointRef]) -> None:
        donor, checkpoint = source
        if self.milestones.missed_a_save(donor, saved_at=checkpoint.age):
            self.warnings.append(STALE_CHECKPOINT)

    def _go_on(self, choice: Choice) -> Decision:
        trial, reason = self.population[choice.trial], choice.reason or "goes on"
        if choice.donor is not None:
            reason = f"donor {choice.donor} has no checkpoint"
            if self.milestones.missed_a_save(self.population[choice.donor], saved_at=0.0):
                self.warnings.append(NO_CHECKPOINT)
        return Decision(
            trial=trial.id,
            next=self.run(trial.age),
            reason=reason,
            seen={"own": trial.last_score, **choice.seen},
            facts=_facts(choice.facts, {}),
        )

    def _copy(
        self,
        choice: Choice,
        source: tuple[TrialView, CheckpointRef],
        together: Mapping[TrialId, Config | None],
        *,
        forgives: bool,
    ) -> Decision:
        trial, (donor, checkpoint) = self.population[choice.trial], source
        trained_with = donor.config if choice.trained_with is None else choice.trained_with
        config = trained_with if choice.config is None else choice.config
        explored = Explored(config)
        if choice.explores:
            copy = Copy(
                recipient=trial,
                donor=donor,
                checkpoint=checkpoint,
                config=config if is_ours(self.explorer) else copied(config),  # ours change nothing in place
                together=together,
            )
            explored = self.explorer.explore(
                self.state, self.population, copy, lambda path: self.random(f"explore:{path}", trial.id)
            )
        own = donor.id == trial.id
        return Decision(
            trial=trial.id,
            next=self.run(checkpoint.age),
            source=Load(checkpoint),
            config=without_numpy_scalars(explored.config),
            reason=choice.reason or ("explores" if own else f"copies {donor.id}"),
            seen={
                "own": trial.last_score,
                "donor": donor.last_score,
                "checkpoint": checkpoint.score,
                **choice.seen,
            },
            iteration=trial.iteration,
            donor=None if own else donor.id,
            donor_config=trained_with,
            facts=_facts(choice.facts, explored.facts),
            forgives=forgives,
        )


def _end(choice: Choice) -> Decision:
    return Decision(
        trial=choice.trial,
        next=End(),
        reason="failed, and there is nobody to copy",
        facts=_facts(choice.facts, {}),
    )


def _facts(selector: Mapping[str, Any], explorer: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the two parts have noted, each for itself."""
    noted = {"selector": dict(selector), "explorer": dict(explorer)}
    return {part: facts for part, facts in noted.items() if facts}
