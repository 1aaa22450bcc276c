"""An experiment's folder: finding one, and making room for a new one."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from poptune._base.layout import Layout
from poptune._base.places import CHECKPOINTS
from poptune._base.script import Script
from poptune._core.events import Created, Resumed
from poptune._keeping.journal import ObjectTable, SqliteJournal, UnopenedObjects
from poptune._keeping.mirroring import continued, is_all_there
from poptune._keeping.storage import experiment_mirror, local_path, open_remote, origin, remote_url
from poptune._keeping.storage.locations import ORIGIN_NAME, mark
from poptune._running.controller.recovery import spent_s
from poptune._running.tuner.definition import Definition
from poptune._running.tuner.lock import ExperimentLock
from poptune._running.tuner.recorded import check_continuable, defined
from poptune.errors import ConfigurationError, ExperimentError


@dataclass(frozen=True, slots=True)
class ExperimentFolder:
    """The folder of an experiment."""

    path: Path
    remote: str = ""
    """The URL of the remote folder that it is mirrored to; empty if it is not."""

    @classmethod
    def existing(cls, path: str | PathLike[str]) -> ExperimentFolder:
        """Return the folder if there is an experiment in it; of a remote one, the folder that it is run in.

        Raises:
            ExperimentError: There is none, or another process is running the remote one here.
            StorageError: The remote storage fails.
        """
        if url := remote_url(path):
            return cls._of_remote(url)
        if (found := origin(local_path(path))) is not None:
            return cls._of_remote(found.url)
        return cls.here(path)

    @classmethod
    def here(cls, path: str | PathLike[str]) -> ExperimentFolder:
        """Return a folder of this machine if there is an experiment in it, as it is.

        Raises:
            ExperimentError: There is none.
        """
        found = origin(local_path(path))
        folder = cls(local_path(path), "" if found is None else found.url)
        if not folder.layout.journal.is_file():
            raise ExperimentError(
                f"A folder of an experiment holds experiment.db, but {folder.path} does not: give the "
                "folder that was printed when the experiment ran"
            )
        return folder

    @classmethod
    def _of_remote(cls, url: str) -> ExperimentFolder:
        folder = cls(experiment_mirror(url), url)
        remote = open_remote(url)
        mark(folder.path, url)
        lock = folder.lock()
        try:
            continued(remote, folder.path)
        finally:
            lock.release()
        return folder

    @classmethod
    def make(
        cls, storage_path: Path, name: str, *, remote: str = ""
    ) -> tuple[ExperimentFolder, ExperimentLock, Path | None]:
        """Return a new folder, locked, and where a finished experiment is now that had that name, if one had.

        Args:
            storage_path: What it is to be in.
            name: Its name.
            remote: The URL of the remote folder that it is to be mirrored to.

        Raises:
            ConfigurationError: The storage path is a file, or cannot be written.
            ExperimentError: The name is that of an interrupted experiment, of one that is being run, or of
                some other folder.
        """
        folder = cls(_writable(storage_path) / name, remote)
        moved_aside = None
        while True:
            folder._make_empty()
            try:
                lock = folder.lock()
            except FileNotFoundError:  # somebody else moves it out of the way just now
                continue
            if not folder.layout.journal.is_file():
                return folder, lock, moved_aside
            try:
                moved_aside = folder._make_way(lock)
            finally:
                lock.release()

    def _make_empty(self) -> None:
        """Have the folder exist, with at most an experiment in it."""
        try:
            self.path.mkdir(exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"The experiment's name must be one that a folder can have, got {self.path.name!r} "
                f"({error.strerror}): choose another"
            ) from error
        if not (self.layout.journal.is_file() or self._is_stillborn):
            raise ExperimentError(
                f"{self.path} exists and is no experiment: choose another name or storage_path"
            )

    def lock(self) -> ExperimentLock:
        """Take the right to write into the folder.

        Raises:
            ExperimentError: Another process, or another thread of this one, has it.
        """
        return ExperimentLock.take(self.layout.lock)

    @property
    def layout(self) -> Layout:
        """Where things are in it."""
        return Layout(self.path)

    @property
    def shown(self) -> str:
        """Where the experiment is, for its user."""
        return self.remote or str(self.path)

    @property
    def is_completed(self) -> bool:
        """Whether the experiment came to its end."""
        with closing(self._reader()) as journal:
            return journal.is_completed()

    @property
    def spent_s(self) -> float:
        """For how long, in seconds, sessions have worked on the experiment."""
        with closing(self._reader()) as journal:
            return spent_s(journal.read())

    @property
    def is_all_there(self) -> bool:
        """Whether nothing is left to be brought to the remote folder."""
        return not self.remote or is_all_there(open_remote(self.remote), self.path)

    @property
    def _is_stillborn(self) -> bool:
        """Whether this is empty, or an experiment was begun here that died before its journal was there."""
        objects, journal = self.layout.objects.name, self.layout.journal.name
        ours = {objects, f"{objects}.new", f"{journal}.new", self.layout.lock.name, ORIGIN_NAME, CHECKPOINTS}
        return {_without_suffix(path.name) for path in self.path.iterdir()} <= ours

    def _make_way(self, lock: ExperimentLock) -> Path:
        if not self.is_completed:
            raise ExperimentError(
                f"An experiment named {self.path.name!r} was interrupted in {self.path.parent}: continue it "
                f"with Tuner.restore({self.shown!r}).fit(), choose another name, or delete the folder"
            )
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.{number}")).exists():
            number += 1
        self.path.rename(aside)
        (aside / ORIGIN_NAME).unlink(missing_ok=True)  # of the remote one that is moved, too, not of this
        lock.follow(Layout(aside).lock)
        return aside

    def store(self, parts: tuple[Any, ...]) -> ObjectTable:
        """Keep what of the experiment's definition must be pickled, so that it can be restored."""
        (self.path / CHECKPOINTS).mkdir(exist_ok=True)
        return ObjectTable.create(self.layout.objects, parts)

    def forget(self) -> None:
        """Remove the journal, since nothing has begun, and nothing is to be restored."""
        for suffix in ("", "-wal", "-shm"):
            self.path.joinpath(f"{self.layout.journal.name}{suffix}").unlink(missing_ok=True)

    def open(self) -> tuple[Definition, ObjectTable]:
        """Open what defines the experiment, as it was changed last. This runs code in it.

        Where the script that runs is the one that began it, what it defines today counts.

        Raises:
            ExperimentError: It was begun with a poptune that kept it otherwise.
            JournalError: Its files cannot be read.
        """
        beginnings, objects = self.beginnings(Script.running())
        return defined(beginnings, objects, shown=self.shown), objects

    def beginnings(self, script: Script | None = None) -> tuple[list[Created | Resumed], ObjectTable]:
        """Read how each session has begun, and open what they name. This runs code in it."""
        with closing(self._reader()) as journal:
            check_continuable(list(journal.beginnings()), shown=self.shown)
        objects = ObjectTable.open(self.layout.objects, script)
        with closing(SqliteJournal.open(self.layout.journal, objects, read_only=True)) as journal:
            return list(journal.beginnings()), objects

    def _reader(self) -> SqliteJournal:
        return SqliteJournal.open(self.layout.journal, UnopenedObjects(), read_only=True)


def _without_suffix(name: str) -> str:
    """Return the name of the database that a file of SQLite's lies beside."""
    return name.removesuffix("-journal").removesuffix("-wal").removesuffix("-shm")


def _writable(storage: Path) -> Path:
    """Return the storage folder, made if need be, after a real attempt to write into it."""
    try:
        storage.mkdir(parents=True, exist_ok=True)
        descriptor, probe = tempfile.mkstemp(prefix=".poptune-probe-", dir=storage)
        os.close(descriptor)
        Path(probe).unlink()
    except (FileExistsError, NotADirectoryError) as error:
        raise ConfigurationError(
            f"storage_path must be a folder, got {str(storage)!r}, which is a file or lies below one"
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"storage_path must be a folder that can be written, got {str(storage)!r} ({error.strerror}): "
            "choose another, or change its permissions"
        ) from error
    return storage
