"""Whether a plan can be carried out: the rules that each answer of a scheduler keeps.

The machine asks before it records a plan, and who reads a journal asks before folding one. So no plan is
recorded that a later session would refuse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from poptune._base.course import problems as course_problems
from poptune._base.types import CheckpointId, Config, TrialId
from poptune._core.population import Population
from poptune._core.scheduler import CheckpointRef, Decision, Fresh, Load, Plan, Ready, Run


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
    yield from _problems_of_spawns(plan, population)
    born = {spec.id: spec.config for spec in plan.spawn}
    yield from _problems_of_answers(plan, population, ready, born.keys())
    for decision in plan.decisions:
        yield from _problems_of_decision(decision, population, born)
    for trial in plan.retire:
        yield from _problems_of_retirement(trial, plan, population)
    for checkpoint in plan.pin:
        if not _is_there(checkpoint, population):
            yield f"checkpoint {checkpoint!r} is to be pinned, but is not among those that are kept"
    for checkpoint in plan.unpin:
        if checkpoint not in population.pinned:
            yield f"checkpoint {checkpoint!r} is to be unpinned, but was not pinned"


def _problems_of_answers(
    plan: Plan, population: Population, ready: Ready | None, born: AbstractSet[TrialId]
) -> Iterator[str]:
    answered = sorted(decision.trial for decision in plan.decisions)
    expected = sorted(set(answered))
    if ready is not None:
        resting = {trial for trial in answered if trial in population and population[trial].resting}
        expected = sorted({*ready.trials, *born, *resting})
    if answered != expected:
        yield f"each ready trial must be answered once: ready are {expected}, answered are {answered}"


def _problems_of_spawns(plan: Plan, population: Population) -> Iterator[str]:
    folders = {trial.spec.folder for trial in population.trials} if plan.spawn else set()
    for place, spec in enumerate(plan.spawn, start=len(population.trials)):
        if spec.index != place or spec.id in population:
            yield f"trial {spec.id!r} cannot be born with index {spec.index}: the next is {place}"
        if spec.folder in folders:
            yield f"trial {spec.id!r} cannot have the folder {spec.folder!r}: it is another's"
        folders.add(spec.folder)


def _problems_of_retirement(trial: TrialId, plan: Plan, population: Population) -> Iterator[str]:
    if trial not in population:
        yield unknown(trial)
    elif not population[trial].status.is_live:
        yield f"trial {trial!r} has ended, so it cannot retire"
    elif plan.retire.count(trial) > 1 or any(decision.trial == trial for decision in plan.decisions):
        yield f"trial {trial!r} is to retire, so nothing else can be decided about it"


def _problems_of_decision(
    decision: Decision, population: Population, born: Mapping[TrialId, Config]
) -> Iterator[str]:
    trial, source = decision.trial, decision.source
    for named in (trial, decision.donor, decision.config_donor):
        if named is not None and named not in population and named not in born:
            yield unknown(named)
            return
    if trial in population and not population[trial].status.is_live:
        yield f"trial {trial!r} has ended, so nothing can be decided about it"
    if isinstance(source, Load) and not _is_kept(source.checkpoint, population):
        yield (
            f"trial {trial!r} is to load checkpoint {source.checkpoint.id!r} in {source.checkpoint.path!r}, "
            "which is not among those that are kept: name one that a trial's view shows"
        )
    if decision.course is not None:
        config = _config_after(decision, population, born)
        yield from (f"trial {trial!r}: {found}" for found in course_problems(decision.course, config))
    if isinstance(decision.next, Run):
        yield from _problems_of_run(decision.next, trial, _age(decision, population))
    elif trial in born:
        yield f"trial {trial!r} is born, so it must run first"


def _config_after(decision: Decision, population: Population, born: Mapping[TrialId, Config]) -> Config:
    """What a trial has for a config from now on, before anything of it moves."""
    source = decision.source
    if decision.config is not None:
        return decision.config
    if isinstance(source, Load) and source.parts != "weights" and _is_kept(source.checkpoint, population):
        return population.config_of(source.checkpoint)
    return born[decision.trial] if decision.trial in born else population[decision.trial].config


def _age(decision: Decision, population: Population) -> float:
    """What the time attribute stands at where a trial goes on."""
    match decision.source:
        case Load(checkpoint=checkpoint, parts=parts) if parts != "config":
            return checkpoint.age
        case Fresh():
            return 0.0
    return population[decision.trial].age if decision.trial in population else 0.0


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
