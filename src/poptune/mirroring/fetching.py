"""From the remote folder to a local one: for who goes on with an experiment, and for who looks at it.

Nothing that comes from there is run or opened here, and no name from there leads out of the folder.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from poptune.errors import ExperimentError, JournalError
from poptune.journal import Record, SqliteJournal, UnopenedObjects
from poptune.layout import Layout
from poptune.mirroring.journal import MirroredJournal, records_in
from poptune.mirroring.logs import is_log
from poptune.mirroring.parts import Part, assembled, matching
from poptune.mirroring.streams import (
    JOURNAL_PREFIX,
    JOURNAL_SUFFIX,
    OBJECTS_PREFIX,
    OBJECTS_SUFFIX,
    last_whole,
    parts_in,
    reader,
)
from poptune.storage.locations import ORIGIN_NAME, mark, reading_copy
from poptune.storage.remote import Remote, open_remote, patiently


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
    sizes = patiently(remote.sizes)
    parts = parts_in(sizes, JOURNAL_PREFIX, JOURNAL_SUFFIX)
    layout = Layout(root)
    if layout.journal.is_file():
        if not parts or _is_ahead(layout, remote, parts):
            return
        _set_aside(layout)
    elif not parts:
        raise _no_experiment(remote)
    root.mkdir(parents=True, exist_ok=True)
    _fetch_objects(remote, sizes, layout)
    for name in sizes:
        if is_log(name):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            patiently(lambda name=name, path=path: remote.download(name, path))  # type: ignore[misc]
    _fetch_journal(remote, parts, layout.journal)


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
    remote = open_remote(url)
    root = root or reading_copy(url)
    sizes = patiently(remote.sizes)
    parts = parts_in(sizes, JOURNAL_PREFIX, JOURNAL_SUFFIX)
    if not parts:
        raise _no_experiment(remote)
    mark(root, url, is_copy=True)
    with tempfile.TemporaryDirectory(prefix=".tmp-", dir=root) as folder:
        fetched = Layout(Path(folder)).journal
        _fetch_journal(remote, parts, fetched)
        if objects:
            _fetch_objects(remote, sizes, Layout(root))
        _forget_another(Layout(root), fetched)
        fetched.replace(Layout(root).journal)
    return root


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


def _fetch_objects(remote: Remote, sizes: dict[str, int], layout: Layout) -> None:
    aside = layout.objects.with_name(f"{layout.objects.name}.new")
    parts = parts_in(sizes, OBJECTS_PREFIX, OBJECTS_SUFFIX)
    with aside.open("wb") as file:
        for _, content in assembled(parts, reader(remote, OBJECTS_PREFIX, OBJECTS_SUFFIX)):
            file.write(content)
    aside.replace(layout.objects)


def _fetch_journal(remote: Remote, parts: Iterable[Part], path: Path) -> None:
    SqliteJournal.rebuild(path, _records(remote, parts))
    with contextlib.closing(SqliteJournal.open(path, UnopenedObjects(), read_only=True)) as journal:
        if next(journal.records(), None) is None:
            path.unlink()
            raise ExperimentError(
                f"The journal of an experiment begins with its first record, but that in {remote.url} cannot "
                "be read: it was damaged, or not written by poptune"
            )


def _records(remote: Remote, parts: Iterable[Part]) -> Iterator[tuple[int, Record]]:
    """Return the records in the parts, up to where they no longer fit together."""
    for part, content in assembled(parts, reader(remote, JOURNAL_PREFIX, JOURNAL_SUFFIX)):
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
