"""``poptune.verify``: is an experiment what its journal says?"""

from __future__ import annotations

from contextlib import closing
from os import PathLike

from poptune.journal import SqliteJournal, consistent
from poptune.journal.journal import fold
from poptune.tuner.folder import ExperimentFolder
from poptune.verification import Verification, check_states, kept, replay


def verify(path: str | PathLike[str]) -> Verification:
    """Settle again all that an experiment's journal says was settled, and read all its checkpoints.

    From what the journal was told, every decision and every end, restart and clean-up is worked out anew and
    compared with what it records. What the user's own code made (a ``custom_explore_fn``, a function among
    the mutations, a scheduler of the user's own) is taken as it stands. Nothing is trained or written.

    The experiment's own scheduler is opened, which runs code from the folder: verify only what you trust.

    Args:
        path: The experiment's folder: finished, interrupted, or still going on.

    Raises:
        ExperimentError: The folder holds no experiment.
        JournalError: Its journal or its scheduler cannot be opened.

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
    folder = ExperimentFolder.existing(path)
    definition, objects = folder.definition()
    with closing(SqliteJournal.open(folder.layout.journal, objects, read_only=True)) as journal:
        settings = definition.settings(1, slots=1)  # the replay has a slot for every trial in any case
        found = replay(lambda: consistent(journal.read()), definition.tune.scheduler, settings)
        checkpoints = kept(fold(journal))
        broken = check_states(folder.path, checkpoints)
        if broken:  # perhaps given up by a run that goes on beside
            still = {ref.id for ref in kept(fold(journal))}
            broken = [one for one in broken if one.checkpoint in still]
    return Verification(
        path=str(folder.path),
        events=found.events,
        decisions=found.decisions,
        configs_folded=found.configs_folded,
        decisions_folded=found.decisions_folded,
        differences=tuple(found.differences),
        checkpoints=len(checkpoints),
        broken_checkpoints=tuple(broken),
    )
