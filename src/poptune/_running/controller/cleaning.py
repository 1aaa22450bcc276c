"""Deletes checkpoints beside the loop, which must not wait for the disk."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from poptune._base.types import CheckpointId
from poptune._core.population import Population
from poptune._core.scheduler import CheckpointRef
from poptune._keeping.checkpoints import CheckpointStore
from poptune._keeping.journal import Journal
from poptune.errors import CorruptCheckpointError


class Cleaning:
    """Brings to the disk what trials would go back to now, and only then deletes what they no longer need.

    So a loss of power never finds an old checkpoint gone and its successor not there. What a killed
    controller has not deleted yet is swept away by the one that takes over.
    """

    def __init__(self, population: Population, store: CheckpointStore, journal: Journal) -> None:
        self._population = population
        self._store = store
        self._journal = journal
        self._pending: list[CheckpointRef] = []
        self._safe: set[CheckpointId] = set()
        self._thread: ThreadPoolExecutor | None = None
        self._under_way: Future[None] | None = None

    def add(self, checkpoint: CheckpointRef) -> None:
        """Have a checkpoint deleted that nothing needs any more."""
        self._pending.append(checkpoint)

    def tidy(self) -> None:
        """Begin with what is to be deleted, unless it is being done already; never wait.

        Raises:
            CheckpointError, JournalError: The disk did not do what it was told before.
        """
        if self._under_way is not None and self._under_way.done():
            under_way, self._under_way = self._under_way, None
            under_way.result()
        if self._pending and self._under_way is None:
            needed = {t.checkpoint.id: t.checkpoint for t in self._population.trials if t.checkpoint}
            unsafe = [ref for name, ref in needed.items() if name not in self._safe]
            self._safe = set(needed)
            self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="poptune-cleaning")
            self._under_way = self._thread.submit(self._work, unsafe, self._pending)
            self._pending = []

    def _work(self, unsafe: Iterable[CheckpointRef], given_up: Iterable[CheckpointRef]) -> None:
        for checkpoint in unsafe:
            with contextlib.suppress(CorruptCheckpointError):  # that is told to whoever needs it
                self._store.sync(checkpoint.path)
        self._journal.sync()
        for checkpoint in given_up:
            self._store.delete(checkpoint.path)

    def close(self) -> None:
        """Do all that is left, and wait for it. Nobody may be saving any more."""
        try:
            while self._pending or self._under_way is not None:
                if self._under_way is not None:
                    self._under_way.exception()
                self.tidy()
            if any(trial.failures for trial in self._population.trials):  # perhaps amid a save
                self._store.sweep({ref.path for trial in self._population.trials for ref in trial.saved})
        finally:
            if self._thread is not None:
                self._thread.shutdown()
