"""Which checkpoints a controller that takes over must go around, because they are not what was written."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from poptune._base.types import TrialId
from poptune._core.population import Population, Trial
from poptune._core.scheduler import CheckpointRef
from poptune._keeping.checkpoints import CheckpointStore
from poptune.errors import CorruptCheckpointError


def damaged_checkpoints(
    population: Population, store: CheckpointStore, revived: Collection[TrialId] = ()
) -> tuple[str, ...]:
    """Return the paths of those that live trials would go back to, one after another, but cannot.

    Only these are read, each to its end: what a trial would fall back to next if the one before is whole is
    nobody's concern now.

    Args:
        population: All trials.
        store: Where the checkpoints are.
        revived: Trials that have ended and are to train on.

    Raises:
        CheckpointError: One cannot be read for another reason, such as permissions.
    """
    whole: dict[str, bool] = {}
    for trial in population.trials:
        if trial.status.is_live or trial.id in revived:
            for ref in _ways_back(trial):
                if ref.path not in whole:
                    whole[ref.path] = _is_whole(ref, store)
                if whole[ref.path]:
                    break
    return tuple(path for path, is_whole in whole.items() if not is_whole)


def _ways_back(trial: Trial) -> Iterator[CheckpointRef]:
    if trial.checkpoint is not None:
        yield trial.checkpoint
        yield from reversed(trial.saved)


def _is_whole(ref: CheckpointRef, store: CheckpointStore) -> bool:
    try:
        store.open(ref.path).verify()
    except CorruptCheckpointError:
        return False
    return True
