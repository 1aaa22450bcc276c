"""Whether what a journal tells can have happened: a changed one is an error here, and not somewhere else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from poptune.core.events import Created, Event, Forgotten, Left, Planned, Reported
from poptune.core.scheduler import CheckpointRef, Decision, Load
from poptune.errors import JournalError
from poptune.layout import is_one_name
from poptune.places import checkpoint_path, checkpoints_folder
from poptune.types import TrialId


def consistent(events: Iterable[Event]) -> Iterator[Event]:
    """Return the events of a whole journal, each after a check that it fits those before it.

    Each names only trials that there are; and trials and checkpoints lie in folders of the experiment's.

    Raises:
        JournalError: One does not fit.
    """
    folders: dict[TrialId, str] = {}  # what the checkpoints of each lie in
    for number, event in enumerate(events, start=1):
        if type(event) is Reported and event.trial in folders and event.checkpoint is None:
            yield event
            continue
        if isinstance(event, Created) != (number == 1):
            problem = "an experiment is created once, at the beginning"
        elif isinstance(event, Created):
            problem = _problem_of_created(event)
            folders = {trial.id: trial.checkpoints_folder for trial in event.trials}
        else:
            problem = _problem(event, folders)
        if problem:
            raise JournalError(
                f"Event {number} of the journal, {type(event).__name__}, does not fit what came before it "
                f"({problem}): the journal was changed, or is not poptune's"
            )
        yield event


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


def _problem(event: Event, folders: dict[TrialId, str]) -> str:
    match event:
        case Planned(plan=plan):
            problems = (_problem_of_decision(decision, folders) for decision in plan.decisions)
            return next(filter(None, problems), "")
        case Forgotten(checkpoints=checkpoints):
            owners = [TrialId(checkpoint.rpartition("/")[0]) for checkpoint in checkpoints]
            return next((_unknown(owner) for owner in owners if owner not in folders), "")
        case Left(status=status) if status.is_live:
            return f"a trial that left cannot be {status}"
        case Reported(checkpoint=int(checkpoint)) if checkpoint < 1:
            return f"checkpoints are counted from 1, got {checkpoint}"
    trial = getattr(event, "trial", None)
    return "" if trial is None or trial in folders else _unknown(trial)


def _problem_of_decision(decision: Decision, folders: dict[TrialId, str]) -> str:
    for trial in (decision.trial, decision.donor):
        if trial is not None and trial not in folders:
            return _unknown(trial)
    return (
        _problem_of_checkpoint(decision.source.checkpoint, folders)
        if isinstance(decision.source, Load)
        else ""
    )


def _problem_of_checkpoint(checkpoint: CheckpointRef, folders: dict[TrialId, str]) -> str:
    places = (checkpoint.trial, str(folders.get(checkpoint.trial)))
    expected = tuple(checkpoint_path(place, checkpoint.number) for place in places)
    if (checkpoint.id, checkpoint.path) != expected:
        return f"checkpoint {checkpoint.id!r} has its folder at {checkpoint.path!r}"
    return "" if checkpoint.trial in folders else _unknown(checkpoint.trial)


def _unknown(trial: TrialId) -> str:
    return f"there is no trial {trial!r}"
