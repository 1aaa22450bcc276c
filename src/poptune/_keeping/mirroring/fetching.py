"""From the remote folder to a local one: for who goes on with an experiment, and for who looks at it.

Nothing that comes from there is run or opened here, and no name from there leads out of the folder.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from poptune._base.layout import Layout
from poptune._base.places import lie_with_their_trials
from poptune._keeping.journal import Record, SqliteJournal, UnopenedObjects
from poptune._keeping.mirroring.file_parts import Part, assembled, matching
from poptune._keeping.mirroring.growing_files import (
    JOURNAL_PREFIX,
    JOURNAL_SUFFIX,
    OBJECTS_PREFIX,
    OBJECTS_SUFFIX,
    last_whole,
    parts_in,
    reader,
)
from poptune._keeping.mirroring.journal import MirroredJournal, records_in
from poptune._keeping.mirroring.logs import is_log
from poptune._keeping.storage.locations import ORIGIN_NAME, mark, reading_copy
from poptune._keeping.storage.remote import Remote, open_remote, patiently
from poptune.errors import ExperimentError, JournalError

_LISTINGS = 5
"""So often a journal is listed anew if parts of it go while it is read."""


def continued(remote: Remote, root: Path) -> None:
    """Have a folder hold the experiment as far as the remote folder has it, or farther, to be gone on with.

    Where the folder is ahead of the remote one, since it has not all been uploaded, it stays as it is. Where
    it is behind, because another machine has gone on, what it holds is moved aside.

    Args:
        remote: The experiment's remote folder.
        root: The folder, which the caller has locked.

    Raises:
        ExperimentError: There is no experiment, neither here nor there.
        StorageError: The storage fails.
    """
    layout = Layout(root)
    parts = parts_in(patiently(remote.sizes), JOURNAL_PREFIX, JOURNAL_SUFFIX)
    if layout.journal.is_file():
        if not parts or _is_ahead(layout, remote, parts):
            return
        _set_aside(layout)
    root.mkdir(parents=True, exist_ok=True)
    with _fetched_journal(remote, root) as journal:
        _fetch_objects(remote, layout)
        there = patiently(remote.sizes)
        for name in filter(partial(is_log, with_trials=lie_with_their_trials(there)), there):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            patiently(partial(remote.download, name, path))
        journal.replace(layout.journal)


def fetch_for_reading(url: str, *, root: Path | None = None, objects: bool = False) -> Path:
    """Return a local folder with the journal of a remote experiment as it is now.

    Its checkpoints come when they are asked for.

    Args:
        url: The experiment's.
        root: The folder; by default one that is used again, so that no checkpoint is fetched twice.
        objects: Whether what defines the experiment is needed, too.

    Raises:
        ExperimentError: There is no experiment.
        StorageError: The storage fails.
    """
    remote, layout = open_remote(url), Layout(root or reading_copy(url))
    if not is_experiment(remote):
        raise _no_experiment(remote)
    mark(layout.root, url, is_copy=True)
    with _fetched_journal(remote, layout.root) as journal:
        if objects:
            _fetch_objects(remote, layout)
        _forget_another(layout, journal)
        journal.replace(layout.journal)
    return layout.root


def is_experiment(remote: Remote) -> bool:
    """Whether a remote folder holds an experiment.

    Raises:
        StorageError: The storage fails.
    """
    return bool(parts_in(patiently(remote.sizes), JOURNAL_PREFIX, JOURNAL_SUFFIX))


def is_all_there(remote: Remote, root: Path) -> bool:
    """Whether the remote folder has all that a folder has, whose session has ended.

    Raises:
        StorageError: The storage fails.
    """
    sizes = patiently(remote.sizes)
    parts = parts_in(sizes, JOURNAL_PREFIX, JOURNAL_SUFFIX)
    with contextlib.closing(MirroredJournal(Layout(root).journal)) as journal:
        journal.read_on()
        chain = matching(parts, journal.crc32)
        is_mirrored = bool(chain) and chain[-1].last == journal.last
    return is_mirrored and Layout(root).journal.name in sizes


def _no_experiment(remote: Remote) -> ExperimentError:
    return ExperimentError(
        f"The remote folder of an experiment is needed, but {remote.url} holds none: give the one that was "
        "printed when the experiment ran"
    )


def _is_ahead(layout: Layout, remote: Remote, parts: list[Part]) -> bool:
    """Whether the journal here begins with all of that there."""
    with contextlib.closing(MirroredJournal(layout.journal)) as journal:
        chain = matching(parts, journal.crc32)
    here = chain[-1].last if chain else 0
    farther = any(part.last > here for part in parts)
    return not farther or last_whole(remote, JOURNAL_PREFIX, JOURNAL_SUFFIX, parts) <= here


def _set_aside(layout: Layout) -> None:
    number = 1
    while (aside := layout.root.with_name(f"{layout.root.name}.overtaken.{number}")).exists():
        number += 1
    aside.mkdir()
    for path in layout.root.iterdir():
        if path.name not in {ORIGIN_NAME, layout.lock.name}:
            path.rename(aside / path.name)


def _fetch_objects(remote: Remote, layout: Layout) -> None:
    """Fetch all that there is now: the journal that was fetched before names nothing that is not among it."""
    parts = parts_in(patiently(remote.sizes), OBJECTS_PREFIX, OBJECTS_SUFFIX)
    aside = layout.objects.with_name(f"{layout.objects.name}.new")
    with aside.open("wb") as file:
        for _, content in assembled(parts, reader(remote, OBJECTS_PREFIX, OBJECTS_SUFFIX)):
            file.write(content)
    aside.replace(layout.objects)


@contextlib.contextmanager
def _fetched_journal(remote: Remote, root: Path) -> Iterator[Path]:
    """The journal, in a file that is to be moved to where it belongs, below the folder."""
    with tempfile.TemporaryDirectory(prefix=".tmp-", dir=root) as folder:
        path = Layout(Path(folder)).journal
        for _ in range(_LISTINGS):
            if _fetch_journal(remote, path):
                break
        if _first(path) is None:
            raise ExperimentError(
                f"The journal of an experiment begins with its first record, but that in {remote.url} cannot "
                "be read: it was damaged, or not written by poptune"
            )
        yield path


def _fetch_journal(remote: Remote, path: Path) -> bool:
    """Fetch the journal; return False if some of its parts were made one meanwhile, so it may be short."""
    gone: list[Part] = []
    read_now = reader(remote, JOURNAL_PREFIX, JOURNAL_SUFFIX)

    def read(part: Part) -> bytes | None:
        content = read_now(part)
        if content is None:
            gone.append(part)
        return content

    parts = parts_in(patiently(remote.sizes), JOURNAL_PREFIX, JOURNAL_SUFFIX)
    if not parts:
        raise _no_experiment(remote)
    SqliteJournal.rebuild(path, _records(parts, read))
    return not gone


def _records(parts: Iterable[Part], read: Callable[[Part], bytes | None]) -> Iterator[tuple[int, Record]]:
    """Return the records in the parts, up to where they no longer fit together."""
    for part, content in assembled(parts, read):
        try:
            records = list(records_in(content))
        except JournalError:
            return
        if [number for number, _ in records] != list(range(part.first, part.last + 1)):
            return
        yield from records


def _forget_another(layout: Layout, fetched: Path) -> None:
    """Remove what was fetched of another experiment that had the same name."""
    if not layout.journal.is_file() or _first(layout.journal) == _first(fetched):
        return
    for path in layout.root.iterdir():
        if path.is_dir() and not path.name.startswith("."):
            shutil.rmtree(path)


def _first(path: Path) -> object:
    with contextlib.closing(SqliteJournal.open(path, UnopenedObjects(), read_only=True)) as journal:
        return next(journal.records(1, 1), None)
