"""What a real run did to its folder, to be done again step by step beside a mirror; and a remote folder."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from climbers import fit

from poptune._base.layout import Layout
from poptune._core.events import Created, Forgotten
from poptune._core.population import Population
from poptune._keeping.checkpoints import Checkpoint, DirectoryStore
from poptune._keeping.checkpoints.manifest import MANIFEST_NAME
from poptune._keeping.journal import ObjectTable, SqliteJournal, UnopenedObjects, decode
from poptune._keeping.mirroring.fetching import _records
from poptune._keeping.mirroring.growing_files import JOURNAL_PREFIX, JOURNAL_SUFFIX, parts_in
from poptune._keeping.mirroring.holding import HoldingStore
from poptune._keeping.storage import FetchingStore, MissingObjectError


def outcome(results):
    return [(result.config, result.metrics["height"], result.checkpoint.to_dict()) for result in results]


def record(path, monkeypatch):
    """Return the steps of a run: ``("append", events)``, ``("save", where, what)``, ``("delete", where)``."""
    steps = []
    folders = {}
    append, save = SqliteJournal.append, DirectoryStore.save

    def noting_append(self, events):
        steps.append(("append", list(events)))
        for event in events:
            if isinstance(event, Created):
                folders.update((trial.id, trial.checkpoints_folder) for trial in event.trials)
            if isinstance(event, Forgotten):  # which may be deleted from now on
                given_up = (name.split("/") for name in event.checkpoints)
                steps.extend(("delete", f"{folders[trial]}/{name}") for trial, name in given_up)
        append(self, events)

    def noting_save(self, checkpoint, *, folder, number):
        steps.append(("save", (folder, number), checkpoint.to_dict()))
        return save(self, checkpoint, folder=folder, number=number)

    with monkeypatch.context() as patch:
        patch.setattr(SqliteJournal, "append", noting_append)
        patch.setattr(DirectoryStore, "save", noting_save)
        fit(path)
    return steps


class Machine:
    """A folder in which the steps of a run are done again, one after another."""

    def __init__(self, root: Path, steps, remote) -> None:
        self.root, self.layout = root, Layout(root)
        root.mkdir()
        (_, first), *self._left = steps
        self.objects = ObjectTable.create(self.layout.objects, "a definition")
        self._journal = SqliteJournal.create(self.layout.journal, first, self.objects)
        self.store = HoldingStore(FetchingStore(root, lambda: remote))

    @property
    def is_done(self) -> bool:
        return not self._left

    def step(self) -> None:
        if self._left:
            kind, what, *more = self._left.pop(0)
            if kind == "append":
                self._journal.append(what)
            elif kind == "save":
                self.store.save(Checkpoint.from_dict(*more), folder=what[0], number=what[1])
            else:
                self.store.delete(what)

    def close(self) -> None:
        self._journal.close()


class InMemory:
    """A remote folder that shows what is in it before and after each operation."""

    url = "memory://watched"

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        self.objects: dict[str, bytes] = {}
        self.before = before
        self.after: Callable[[], None] = lambda: None

    def write(self, name, content):
        self.before()
        self.objects[name] = content
        self.after()

    def upload(self, path, name):
        self.write(name, path.read_bytes())

    def read(self, name):
        if name not in self.objects:
            raise MissingObjectError(name)
        return self.objects[name]

    def download(self, name, path):
        path.write_bytes(self.read(name))

    def sizes(self, folder=""):
        return {name: len(one) for name, one in self.objects.items() if name.startswith(folder)}

    def delete(self, name):
        self.before()
        self.objects.pop(name, None)
        self.after()

    def copy(self, name, to):
        to.objects[name] = self.objects[name]


def prefix_in(remote) -> list:
    """The records that are in a remote folder."""

    def read(part):
        return remote.objects.get(f"{JOURNAL_PREFIX}{part.name}{JOURNAL_SUFFIX}")

    return list(_records(parts_in(list(remote.objects), JOURNAL_PREFIX, JOURNAL_SUFFIX), read))


def named_by(records) -> set[str]:
    population = Population()
    for _, one in records:
        for event in decode(one, UnopenedObjects()):
            population.apply(event)
    standing = [trial.checkpoint for trial in population.trials if trial.checkpoint]
    return {ref.path for ref in standing} | {ref.path for trial in population.trials for ref in trial.saved}


def records_of(root: Path) -> list:
    with closing(SqliteJournal.open(root / "experiment.db", UnopenedObjects(), read_only=True)) as journal:
        return list(journal.records())


def is_whole(remote, path: str, root: Path) -> bool:
    """Whether a checkpoint is in a remote folder with all its files, each as it was written."""
    import json

    if f"{path}/{MANIFEST_NAME}" not in remote.objects:
        return False
    files = json.loads(remote.objects[f"{path}/{MANIFEST_NAME}"])["files"]
    return all(
        zlib.crc32(remote.objects.get(f"{path}/{name}", b"")) == one["crc32"] for name, one in files.items()
    )
