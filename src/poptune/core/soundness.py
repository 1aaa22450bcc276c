"""Whether a plan can be carried out: the rules that each answer of a scheduler keeps.

The machine asks before it records a plan, and who reads a journal asks before folding one. So no plan is
recorded that a later session would refuse.
"""

from __future__ import annotations

from collections.abc import Iterator

from poptune.core.population import Population
from poptune.core.scheduler import CheckpointRef, Decision, Load, Plan, Ready, Run
from poptune.types import CheckpointId, TrialId


def problem(plan: Plan, population: Population, ready: Ready | None = None) -> str:
    """Return the first rule that a plan breaks, with the trial that it breaks it for; empty if it is sound.

    Args:
        plan: The plan.
        population: As it is before the plan.
        ready: Who was asked about; ``None`` where that is not known any more.
    """
    return next(_problems(plan, population, ready), "")


def unknown(trial: TrialId) -> str:
    """Return what is said of a trial that there is not."""
    return f"there is no trial {trial!r}"


def _problems(plan: Plan, population: Population, ready: Ready | None) -> Iterator[str]:
    answered = sorted(decision.trial for decision in plan.decisions)
    expected = sorted(set(answered) if ready is None else ready.trials)
    if answered != expected:
        yield f"each ready trial must be answered once: ready are {expected}, answered are {answered}"
    for decision in plan.decisions:
        yield from _problems_of_decision(decision, population)
    for checkpoint in plan.pin:
        if not _is_there(checkpoint, population):
            yield f"checkpoint {checkpoint!r} is to be pinned, but is not among those that are kept"
    for checkpoint in plan.unpin:
        if checkpoint not in population.pinned:
            yield f"checkpoint {checkpoint!r} is to be unpinned, but was not pinned"


def _problems_of_decision(decision: Decision, population: Population) -> Iterator[str]:
    trial, source = decision.trial, decision.source
    for named in (trial, decision.donor):
        if named is not None and named not in population:
            yield unknown(named)
            return
    if not population[trial].status.is_live:
        yield f"trial {trial!r} has ended, so nothing can be decided about it"
    if isinstance(source, Load) and not _is_kept(source.checkpoint, population):
        yield (
            f"trial {trial!r} is to load checkpoint {source.checkpoint.id!r} in {source.checkpoint.path!r}, "
            "which is not among those that are kept: name one that a trial's view shows"
        )
    if isinstance(decision.next, Run):
        age = source.checkpoint.age if isinstance(source, Load) else population[trial].age
        yield from _problems_of_run(decision.next, trial, age)


def _problems_of_run(run: Run, trial: TrialId, age: float) -> Iterator[str]:
    if run.until is not None and not run.until > age:
        yield f"trial {trial!r} stands at {age:g}, so it cannot train until {run.until:g}: it must lie ahead"
    if run.barrier is not None and run.until is None:
        yield f"trial {trial!r} would never come to the barrier {run.barrier!r}: it must have an until"


def _is_there(checkpoint: CheckpointId, population: Population) -> bool:
    owner = TrialId(checkpoint.rpartition("/")[0])
    return owner in population and any(ref.id == checkpoint for ref in population[owner].saved)


def _is_kept(checkpoint: CheckpointRef, population: Population) -> bool:
    if checkpoint.trial not in population:
        return False
    kept = reversed(population[checkpoint.trial].saved)  # the newest is named most often
    return any((ref.id, ref.path) == (checkpoint.id, checkpoint.path) for ref in kept)
