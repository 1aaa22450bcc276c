"""Whether what a journal tells can have happened: a changed one is an error here, and not somewhere else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from poptune._base.layout import is_one_name
from poptune._base.places import checkpoints_folder
from poptune._base.types import TrialId
from poptune._core.events import Created, Event, Forgotten, Left, Planned, Reported
from poptune._core.population import Population
from poptune._core.soundness import problem, unknown
from poptune.errors import JournalError


def consistent(events: Iterable[Event], population: Population | None = None) -> Iterator[Event]:
    """Return the events of a whole journal, each after a check that it fits those before it.

    Each names only trials that there are, each plan is one that the machine would record, and trials and
    checkpoints lie in folders of the experiment's.

    Args:
        events: The events, from the first.
        population: What the caller folds each event into before it takes the next; ``None`` if nothing.

    Raises:
        JournalError: One does not fit.
    """
    if population is None:
        yield from _folded(events)
        return
    for number, event in enumerate(events, start=1):
        if type(event) is Reported and event.checkpoint is None and event.trial in population:
            yield event
            continue
        if isinstance(event, Created) != (number == 1):
            found = "an experiment is created once, at the beginning"
        else:
            found = _problem(event, population)
        if found:
            raise JournalError(
                f"Event {number} of the journal, {type(event).__name__}, does not fit what came before it "
                f"({found}): the journal was changed, or is not poptune's"
            )
        yield event


def _folded(events: Iterable[Event]) -> Iterator[Event]:
    population = Population()
    for event in consistent(events, population):
        population.apply(event)
        yield event


def _problem(event: Event, population: Population) -> str:
    match event:
        case Created():
            return _problem_of_created(event)
        case Planned(plan=plan):
            return problem(plan, population)
        case Forgotten(checkpoints=checkpoints):
            owners = [TrialId(checkpoint.rpartition("/")[0]) for checkpoint in checkpoints]
            return next((unknown(owner) for owner in owners if owner not in population), "")
        case Left(status=status) if status.is_live:
            return f"a trial that left cannot be {status}"
        case Reported(checkpoint=int(checkpoint)) if checkpoint < 1:
            return f"checkpoints are counted from 1, got {checkpoint}"
    trial = getattr(event, "trial", None)
    return "" if trial is None or trial in population else unknown(trial)


def _problem_of_created(created: Created) -> str:
    for place, trial in enumerate(created.trials):
        if trial.index != place:
            return f"trial {trial.id!r} has index {trial.index} at place {place}"
        if not (is_one_name(trial.id) and is_one_name(trial.folder)):
            return f"trial {trial.id!r} has its folder at {trial.folder!r}, outside the experiment's"
        if trial.store not in {"", checkpoints_folder(trial.folder)}:
            return f"trial {trial.id!r} has its checkpoints at {trial.store!r}"
    ids, folders = {trial.id for trial in created.trials}, {trial.folder for trial in created.trials}
    return "" if len(ids) == len(folders) == len(created.trials) else "two trials share an id or a folder"
