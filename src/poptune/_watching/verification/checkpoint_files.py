"""Whether the checkpoints are there that a journal says are there, each as it was written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from poptune._core.population import Population
from poptune._core.scheduler import CheckpointRef
from poptune._keeping.storage import open_store
from poptune._watching.verification.verdict import BrokenCheckpoint
from poptune.errors import CheckpointError


def kept(population: Population) -> list[CheckpointRef]:
    """Return what trials have saved and not given up, and what any trial stands on."""
    refs = {ref.id: ref for trial in population.trials for ref in trial.saved}
    refs |= {trial.checkpoint.id: trial.checkpoint for trial in population.trials if trial.checkpoint}
    return [refs[name] for name in sorted(refs)]


def check_states(
    root: Path, checkpoints: Iterable[CheckpointRef], *, remote: str = ""
) -> list[BrokenCheckpoint]:
    """Read all files of these checkpoints, and return those that are not as they were written.

    Args:
        root: The experiment's folder.
        checkpoints: Which.
        remote: The URL that they are fetched from; empty if they are here.
    """
    store, broken = open_store(root, remote), []
    for ref in checkpoints:
        try:
            store.open(ref.path, checkpoint_id=ref.id).verify()
        except CheckpointError as error:
            broken.append(BrokenCheckpoint(ref.id, str(error)))
    return broken
