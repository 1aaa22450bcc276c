"""Makes way in a remote storage for a new experiment of the same name."""

from __future__ import annotations

from functools import partial

from poptune._keeping.mirroring.file_parts import assembled
from poptune._keeping.mirroring.growing_files import JOURNAL_PREFIX, JOURNAL_SUFFIX, parts_in, reader
from poptune._keeping.mirroring.journal import records_in
from poptune._keeping.storage.locations import join, split
from poptune._keeping.storage.lock import LOCK_NAME
from poptune._keeping.storage.remote import Remote, open_remote, patiently
from poptune.errors import ExperimentError

_OURS = ".poptune/"


def make_way(remote: Remote) -> None:
    """Have a remote folder be empty: a finished experiment in it is moved to ``<name>.1``, ``<name>.2``, ...

    Such storages cannot rename, so its objects are copied there, by the storage itself if it can, and then
    deleted. If that breaks off there are two of it, of which one may not be whole; the next attempt takes
    the next number.

    Args:
        remote: The folder, whose lock the caller holds.

    Raises:
        ExperimentError: It holds an interrupted experiment, or something else.
        StorageError: The storage fails.
    """
    names = [name for name in patiently(remote.sizes) if name != LOCK_NAME]
    is_journal = {name: name.startswith(JOURNAL_PREFIX) for name in names}
    if not any(is_journal.values()):
        if any(not name.startswith(_OURS) for name in names):
            raise ExperimentError(
                f"{remote.url} exists and is no experiment: choose another name or storage_path"
            )
    elif not _is_completed(remote, names):
        raise ExperimentError(
            f"An experiment was interrupted in {remote.url}: continue it with "
            f"Tuner.restore({remote.url!r}).fit(), choose another name, or delete it"
        )
    else:
        _copy(remote, sorted(names, key=is_journal.__getitem__))  # the journal last: then it is an experiment
    for name in sorted(names, key=is_journal.__getitem__):
        patiently(partial(remote.delete, name))


def _copy(remote: Remote, names: list[str]) -> None:
    storage, name = split(remote.url)
    number = 1
    while patiently((aside := open_remote(join(storage, f"{name}.{number}"))).sizes):
        number += 1
    for one in names:
        patiently(partial(remote.copy, one, aside))


def _is_completed(remote: Remote, names: list[str]) -> bool:
    parts = parts_in(names, JOURNAL_PREFIX, JOURNAL_SUFFIX)
    last = b"[]"
    for _, content in assembled(parts, reader(remote, JOURNAL_PREFIX, JOURNAL_SUFFIX)):
        last = content
    records = list(records_in(last))
    return bool(records) and records[-1][1].kind == "completed"
