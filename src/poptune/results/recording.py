"""An experiment as its journal has it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from os import PathLike
from pathlib import Path

from poptune._base.layout import Layout
from poptune._base.types import Metrics
from poptune._core.events import Created, Reported
from poptune._core.population import Population, Trial
from poptune._core.scheduler import CheckpointRef
from poptune._keeping.checkpoints import Checkpoint
from poptune._keeping.journal import Objects, SqliteJournal, UnopenedObjects, consistent, valid_results
from poptune._keeping.mirroring import fetch_for_reading
from poptune._keeping.storage import local_path, open_store, origin, remote_url
from poptune.errors import ExperimentError
from poptune.results.history import History, Segment

_MOST_NAMES = 5


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """What is known of an experiment at the moment of reading; it may still be going on.

    Results are not held in memory. They are read anew each time, and no further than this recording goes.
    ``objects`` are the config values that are no JSON: placeholders, unless the run itself is the reader.
    """

    layout: Layout
    created: Created
    population: Population
    history: History
    objects: Objects
    identity: tuple[int, int]
    """The journal's file, so that another experiment in the same folder is known for another."""

    @classmethod
    def open(cls, path: str | PathLike[str], objects: Objects | None = None) -> Recording:
        """Read the journal in an experiment's folder, once.

        Args:
            path: The folder, or the URL of a remote one.
            objects: The values that the journal names by number, where the run itself reads its journal.

        Raises:
            ExperimentError: The folder is none of an experiment.
            JournalError: The journal cannot be read, or was changed.
            StorageError: The remote storage fails.
        """
        url = remote_url(path)
        layout = Layout(fetch_for_reading(url) if url else local_path(path))
        if not layout.journal.is_file():
            raise ExperimentError(
                f"The folder of an experiment is needed, with {layout.journal.name} in it, but "
                f"{layout.root} {'has none' if layout.root.is_dir() else 'is no folder'}: "
                f"{_suggestion(layout.root)}"
            )
        identity = _identity(layout)
        population, history = Population(), History()
        objects = UnopenedObjects() if objects is None else objects
        with closing(_journal(layout, objects)) as journal:
            for event in consistent(journal.read(), population):
                history.apply(event, population)
                population.apply(event)
        if population.created is None:
            raise ExperimentError(f"The experiment {layout.root} has an empty journal")
        return cls(layout, population.created, population, history, objects, identity)

    def checkpoint(self, ref: CheckpointRef) -> Checkpoint:
        """Open a checkpoint; what is pickled in it needs no further trust if the run itself is the reader."""
        self._check_that_it_is_here()
        trusted = not isinstance(self.objects, UnopenedObjects)
        return open_store(self.layout.root, self.remote).open(ref.path, checkpoint_id=ref.id, trusted=trusted)

    @property
    def remote(self) -> str:
        """The URL of the remote experiment that the folder stands for, if it does."""
        found = origin(self.layout.root)
        return "" if found is None else found.url

    def _check_that_it_is_here(self) -> None:
        """Raise if the folder holds another experiment by now.

        Raises:
            ExperimentError: It does; or it is gone.
        """
        root = self.layout.root
        if self.layout.journal.is_file():
            if _identity(self.layout) == self.identity or self._is_of_this(self.layout):
                return
            begun = "a new experiment has its folder"
        else:
            begun = f"{root} is gone"
        for aside in sorted(root.parent.glob(f"{root.name}.*")):
            layout = Layout(aside)
            if layout.journal.is_file() and self._is_of_this(layout):
                raise ExperimentError(
                    f"These results are of an experiment that lies in {aside} now, since {begun}: read them "
                    f"there, ResultGrid.from_path({str(aside)!r})"
                )
        raise ExperimentError(f"These results are of an experiment that was removed: {begun}")

    def _is_of_this(self, layout: Layout) -> bool:
        created = _created(layout)
        ids = {trial.id for trial in self.created.trials}
        return created is not None and {trial.id for trial in created.trials} == ids

    def valid_results(self, trial: Trial) -> Iterator[Reported]:
        """Return a trial's results, in order, without those that a restart made void."""
        void = {number for first, last in trial.superseded for number in range(first, last + 1)}
        self._check_that_it_is_here()
        with closing(_journal(self.layout, self.objects)) as journal:
            yield from islice(valid_results(journal, trial), trial.reports - len(void))

    def all_results(self, trial: Trial) -> Iterator[Reported]:
        """Return a trial's results, in order, those that a restart made void included."""
        self._check_that_it_is_here()
        with closing(_journal(self.layout, self.objects)) as journal:
            yield from islice(journal.results(trial.id), trial.reports)

    def last_metrics(self, trial: Trial) -> Metrics:
        """Return the metrics of a trial's last valid result; none if it has no result."""
        if not trial.superseded or trial.superseded[-1][1] < trial.reports:
            return trial.metrics
        metrics: Metrics = {}
        for result in self.valid_results(trial):
            metrics = result.metrics
        return metrics

    def results_in(self, segments: Sequence[Segment]) -> list[list[Reported]]:
        """Return the results of each segment. Each trial that takes part is read once."""
        found: list[list[Reported]] = [[] for _ in segments]
        for trial in dict.fromkeys(segment.trial for segment in segments):
            results = list(self.all_results(self.population[trial]))
            for results_of_segment, segment in zip(found, segments, strict=True):
                if segment.trial == trial:
                    for first, last in segment.reports:
                        results_of_segment.extend(results[first:last])
        return found


def _identity(layout: Layout) -> tuple[int, int]:
    status = layout.journal.stat()
    return status.st_dev, status.st_ino


def _created(layout: Layout) -> Created | None:
    with closing(_journal(layout, UnopenedObjects())) as journal:
        first = next(journal.read(), None)
    return first if isinstance(first, Created) else None


def _journal(layout: Layout, objects: Objects) -> SqliteJournal:
    return SqliteJournal.open(layout.journal, objects, read_only=True)


def _suggestion(root: Path) -> str:
    inside = sorted(path.parent.name for path in root.glob(f"*/{Layout(root).journal.name}"))
    if not inside:
        return "give the path that the run has printed"
    more = f" and {len(inside) - _MOST_NAMES} more" if len(inside) > _MOST_NAMES else ""
    return f"it holds the experiments {', '.join(inside[:_MOST_NAMES])}{more}; give the path of one of them"
