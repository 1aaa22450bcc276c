"""In which order an experiment goes to its remote folder, so that it can be restored at any moment.

What is true there after each single operation, whoever is killed and whatever is still to come:

    The journal there is a prefix of the journal here, and each checkpoint that it names, of those that were
    whole here, is there, whole. So are the objects that it names.

For that, one turn of the mirror goes so:

1. The journal here is read to its end, N. While that is done no checkpoint is deleted here, and from then on
   none of those that the prefix up to N names and that are not there yet. (A checkpoint is deleted only after
   the record that gives it up, so all that the prefix names are here now, unless they are damaged.)
2. What was appended to ``objects.pkl`` is uploaded: it holds whatever records up to N name.
3. The checkpoints that the prefix names and that are not there are uploaded: files first, manifest last.
4. The records up to N are uploaded, as one new object. With it the prefix there becomes the one up to N.
5. Only now are checkpoints deleted there that the prefix no longer names, and objects that others replace.

So there is no moment at which a checkpoint goes that the journal there still names, nor one at which the
journal there names one that is to come. The price is that the journal waits for the checkpoints: what a lost
machine loses is what happened since the last turn, which takes as long as its uploads.

A turn that breaks off is begun anew, with all that has happened since; each step of it can be done twice.
Logs have no part in this. They are uploaded now and then, and are written anew from the journal if need be.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from poptune._base.layout import Layout
from poptune._keeping.mirroring.file_parts import Part
from poptune._keeping.mirroring.growing_files import (
    JOURNAL_PREFIX,
    JOURNAL_SUFFIX,
    OBJECTS_PREFIX,
    OBJECTS_SUFFIX,
    GrowingFile,
    Stream,
    last_whole,
    parts_in,
)
from poptune._keeping.mirroring.holding import HoldingStore
from poptune._keeping.mirroring.journal import MirroredJournal
from poptune._keeping.mirroring.logs import Logs
from poptune._keeping.storage.remote import Remote, read_or_none
from poptune._keeping.storage.transfers import (
    checkpoints_among,
    delete_checkpoint,
    manifest_of,
    upload_checkpoint,
)
from poptune.errors import CorruptCheckpointError, ExperimentError


class Mirror:
    """Brings one experiment to its remote folder, turn by turn. All by one thread.

    Args:
        root: The experiment's folder.
        remote: Its remote folder.
        store: The store through which the controller deletes checkpoints.
        confirm: Raises an error unless it is certain that nobody else writes to the remote folder.
        at_once: How many checkpoints or logs are uploaded at a time.
    """

    def __init__(
        self,
        root: Path,
        remote: Remote,
        store: HoldingStore,
        confirm: Callable[[], None] = lambda: None,
        *,
        at_once: int = 1,
    ) -> None:
        self._at_once = at_once
        self._layout = Layout(root)
        self._remote = remote
        self._store = store
        self._confirm = confirm
        self._journal = MirroredJournal(self._layout.journal)
        self._objects_file = GrowingFile(self._layout.objects)
        self._records = Stream(remote, JOURNAL_PREFIX, JOURNAL_SUFFIX, self._journal)
        self._objects = Stream(remote, OBJECTS_PREFIX, OBJECTS_SUFFIX, self._objects_file)
        self._logs = Logs(root, remote)
        self._there: set[str] = set()
        """Checkpoints of which there is something in the remote folder."""
        self._settled: set[str] = set()
        """Checkpoints that are there, wholly; and those that are whole nowhere, which nobody waits for."""
        self._stale: list[Part] = []
        self._named: list[str] = []

    @property
    def waiting(self) -> int:
        """How many checkpoints the journal here names, as far as it was read, that are not there yet."""
        return sum(path not in self._settled for path in self._named)

    def begin(self) -> None:
        """See what is in the remote folder already.

        Raises:
            ExperimentError: The experiment has gone on somewhere else.
            RemoteError: The storage fails.
        """
        sizes = self._remote.sizes()
        self._there = checkpoints_among(sizes)
        others = self._records.find(sizes)
        if any(part.last > self._records.last for part in others) and self._is_behind(sizes):
            raise ExperimentError(
                f"The experiment in {self._remote.url} has gone on elsewhere since it was opened: restore "
                "it again"
            )
        self._stale = others
        self._remote.delete(self._layout.journal.name)  # it says that a session has ended and all is there
        for half_written in self._objects.find(sizes):  # by a program that was killed: nobody names it
            self._objects.delete(half_written)

    def _is_behind(self, sizes: dict[str, int]) -> bool:
        parts = parts_in(sizes, JOURNAL_PREFIX, JOURNAL_SUFFIX)
        return last_whole(self._remote, JOURNAL_PREFIX, JOURNAL_SUFFIX, parts) > self._records.last

    def turn(self) -> None:
        """Bring there what has happened since the last turn; see the head of this file.

        Raises:
            LostLockError: Another controller is at work.
            RemoteError: The storage fails. What is done of the turn need not be done again.
        """
        named = self._read_on()
        try:
            if self._journal.last > self._records.last:
                self._objects.publish_slices(self._objects_file.size)
            self._side_by_side(self._bring, [path for path in named if path not in self._settled])
            self._confirm()
            self._records.publish(self._journal.last)
        finally:
            self._store.let_go()
        self._clean(set(named))
        self._side_by_side(self._logs.bring, self._logs.due())

    def finish(self) -> None:
        """Bring all that there is; and the journal and the objects as they are in a folder, too.

        So what lies there then is, once it is copied to a disk, an experiment's folder like any other.
        """
        self.turn()
        self._side_by_side(self._logs.bring, self._logs.due(all_of_them=True))
        self._remote.upload(self._layout.objects, self._layout.objects.name)
        with tempfile.TemporaryDirectory(prefix="poptune-snapshot-") as folder:
            snapshot = Path(folder, self._layout.journal.name)
            self._journal.copy_to(snapshot)
            self._remote.upload(snapshot, snapshot.name)

    def close(self) -> None:
        """Let go of the journal."""
        self._journal.close()

    def _read_on(self) -> list[str]:
        """Read the journal to its end; hold the checkpoints that are to go, and return all that it names."""
        with self._store.undisturbed():
            self._journal.read_on()
            named = self._named = self._journal.named()
            self._store.hold(path for path in named if path not in self._settled)
        return named

    def _side_by_side(self, act: Callable[[str], None], paths: Collection[str]) -> None:
        if self._at_once == 1 or len(paths) < 2:
            for path in paths:
                act(path)
            return
        with ThreadPoolExecutor(self._at_once, thread_name_prefix="poptune-uploads") as threads:
            for done in [threads.submit(act, path) for path in paths]:
                done.result()

    def _bring(self, path: str) -> None:
        """Have a checkpoint there. One that is not whole here, nor there, is left to who needs it."""
        if (self._layout.root / path).is_dir():
            self._there.add(path)
            with contextlib.suppress(CorruptCheckpointError):
                upload_checkpoint(self._remote, self._layout.root, path)
        elif path not in self._there and read_or_none(self._remote, manifest_of(path)) is not None:
            self._there.add(path)  # by a worker on another machine
        self._settled.add(path)

    def _clean(self, named: set[str]) -> None:
        """Remove what the journal there no longer names, and what other parts of it replace."""
        gone = self._there - named
        if gone or self._stale:
            self._confirm()
        self._side_by_side(self._remove, gone)
        while self._stale:
            self._records.delete(self._stale[-1])
            self._stale.pop()
        self._records.merge()
        self._settled &= named

    def _remove(self, path: str) -> None:
        delete_checkpoint(self._remote, path)
        self._there.discard(path)
