"""``poptune.verify``: is an experiment what its journal says?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory

from poptune._base.types import CheckpointId
from poptune._keeping.journal import SqliteJournal, UnopenedObjects, consistent
from poptune._keeping.journal.journal import fold
from poptune._keeping.mirroring import fetch_for_reading
from poptune._keeping.storage import origin, remote_url
from poptune._running.tuner.definition import Definition
from poptune._running.tuner.folder import ExperimentFolder
from poptune._running.tuner.recorded import redefined
from poptune._watching.verification import Deciders, Verification, check_states, kept, replay


def verify(path: str | PathLike[str]) -> Verification:
    """Settle again all that an experiment's journal says was settled, and read all its checkpoints.

    From what the journal was told, every decision and every end, restart and clean-up is worked out anew and
    compared with what it records. What the user's own code made (a ``custom_explore_fn``, a function among
    the mutations, a scheduler of the user's own) is taken as it stands. Nothing is trained or written.

    The experiment's own scheduler is opened, which runs code from the folder: verify only what you trust.

    Args:
        path: The experiment's folder, or the URL of a remote one, which is fetched for that with all its
            checkpoints. It may be finished, interrupted, or still going on.

    Raises:
        ExperimentError: The folder holds no experiment.
        JournalError: Its journal or its scheduler cannot be opened.
        StorageError: The remote storage fails.

    Example:
        >>> import poptune as tune
        >>> def train(config):
        ...     tune.report({"loss": config["lr"]})
        >>> results = tune.Tuner(
        ...     train,
        ...     param_space={"lr": tune.uniform(0, 1)},
        ...     tune_config=tune.TuneConfig(metric="loss", mode="min", num_samples=4),
        ...     run_config=tune.RunConfig(executor="inline", storage_path=tmp_path, verbose=0),
        ... ).fit()
        >>> tune.verify(results.experiment_path).ok
        True
    """
    with _opened(path) as folder:
        return _verify(folder)


@contextmanager
def _opened(path: str | PathLike[str]) -> Iterator[ExperimentFolder]:
    """A folder, as it is; a remote one is fetched anew, as what was fetched before proves nothing of it."""
    url = remote_url(path)
    if not url:
        yield ExperimentFolder.here(path)
        return
    with TemporaryDirectory(prefix="poptune-verify-") as scratch:
        yield ExperimentFolder(fetch_for_reading(url, root=Path(scratch, "experiment"), objects=True), url)


def _kept_now(folder: ExperimentFolder) -> set[CheckpointId]:
    """What the journal keeps by now, perhaps less than before: a remote one is fetched anew for that."""
    found = origin(folder.path)
    if found is not None and found.is_copy:
        fetch_for_reading(found.url, root=folder.path)
    with closing(SqliteJournal.open(folder.layout.journal, UnopenedObjects(), read_only=True)) as journal:
        return {ref.id for ref in kept(fold(journal))}


def _verify(folder: ExperimentFolder) -> Verification:
    beginnings, objects = folder.beginnings()
    with closing(SqliteJournal.open(folder.layout.journal, objects, read_only=True)) as journal:
        found = replay(
            lambda: consistent(journal.read()),
            _deciders(redefined(beginnings[0], objects)),
            lambda changed: _deciders(redefined(changed, objects)),
        )
        checkpoints = kept(fold(journal))
        broken = check_states(folder.path, checkpoints, remote=folder.remote)
    if broken:  # perhaps given up by a run that goes on beside
        still = _kept_now(folder)
        broken = [one for one in broken if one.checkpoint in still]
    return Verification(
        path=folder.shown,
        events=found.events,
        decisions=found.decisions,
        configs_folded=found.configs_folded,
        decisions_folded=found.decisions_folded,
        differences=tuple(found.differences),
        checkpoints=len(checkpoints),
        broken_checkpoints=tuple(broken),
    )


def _deciders(definition: Definition) -> Deciders:
    """Who decided; the replay has a slot for every trial in any case."""
    return Deciders(definition.tune.scheduler, definition.settings(1, slots=1))
