"""Files that only grow, kept remotely in parts: written on, made fewer, and found again."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Protocol

from poptune._keeping.mirroring.file_parts import Part, Sized, assembled, matching, part_named, to_merge
from poptune._keeping.storage.remote import Remote, patiently, read_or_none
from poptune._keeping.storage.remote_errors import MissingObjectError

JOURNAL_PREFIX, JOURNAL_SUFFIX = ".poptune/journal/", ".json"
OBJECTS_PREFIX, OBJECTS_SUFFIX = ".poptune/objects/", ".pkl-part"
_LARGEST_SLICE_BYTES = 32 << 20


class Growing(Protocol):
    """What is kept in parts, counted from 1."""

    def crc32(self, first: int, last: int) -> int | None:
        """Return the checksum of a part; None if this is not long enough."""
        ...

    def write(self, first: int, last: int, file: IO[bytes]) -> int:
        """Write a part into a file; return its checksum."""
        ...


class GrowingFile:
    """The bytes of a file that is only appended to."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def size(self) -> int:
        return self._path.stat().st_size

    def crc32(self, first: int, last: int) -> int | None:
        content = self._slice(first, last)
        return zlib.crc32(content) if len(content) == last - first + 1 else None

    def write(self, first: int, last: int, file: IO[bytes]) -> int:
        content = self._slice(first, last)
        file.write(content)
        return zlib.crc32(content)

    def _slice(self, first: int, last: int) -> bytes:
        with self._path.open("rb") as file:
            file.seek(first - 1)
            return file.read(last - first + 1)


class Stream:
    """One such file, and its parts in a remote folder.

    Args:
        remote: The experiment's remote folder.
        prefix: What the names of its parts begin with.
        suffix: What they end with.
        source: The file here.
    """

    def __init__(self, remote: Remote, prefix: str, suffix: str, source: Growing) -> None:
        self._remote = remote
        self._prefix = prefix
        self._suffix = suffix
        self._source = source
        self._chain: list[Sized] = []
        self._session = 1

    @property
    def last(self) -> int:
        """How far it is mirrored."""
        return self._chain[-1].part.last if self._chain else 0

    def find(self, sizes: dict[str, int]) -> list[Part]:
        """Take over the parts that hold what is here, too; return the other ones.

        Args:
            sizes: What is in the remote folder.
        """
        there = {part: sizes[self._name(part)] for part in parts_in(sizes, self._prefix, self._suffix)}
        self._session = 1 + max((part.session for part in there), default=0)
        chain = matching(there, self._source.crc32)
        self._chain = [Sized(part, there[part]) for part in chain]
        return [part for part in there if part not in chain]

    def publish(self, last: int) -> None:
        """Mirror it up to here, in one part."""
        if last > self.last:
            self._chain.append(self._write(self.last + 1, last, level=0))

    def publish_slices(self, last: int) -> None:
        """Mirror it up to here, in parts that are not too large."""
        while self.last < last:
            self.publish(min(last, self.last + _LARGEST_SLICE_BYTES))

    def merge(self) -> None:
        """Make the last parts one if they have become many; the one is there before they go."""
        while tail := to_merge(self._chain):
            merged = self._write(tail[0].part.first, tail[-1].part.last, level=tail[0].level + 1)
            self._chain[-len(tail) :] = [merged]
            for one in tail:
                self.delete(one.part)

    def delete(self, part: Part) -> None:
        """Remove a part from the remote folder."""
        self._remote.delete(self._name(part))

    def _write(self, first: int, last: int, *, level: int) -> Sized:
        with tempfile.NamedTemporaryFile(prefix="poptune-part-") as file:
            crc32 = self._source.write(first, last, file)
            file.flush()
            part = Part(first=first, last=last, session=self._session, crc32=crc32)
            self._remote.upload(Path(file.name), self._name(part))
            return Sized(part, file.tell(), level)

    def _name(self, part: Part) -> str:
        return f"{self._prefix}{part.name}{self._suffix}"


def parts_in(names: Iterable[str], prefix: str, suffix: str) -> list[Part]:
    """Return the parts among the objects with these names."""
    stems = (
        name[len(prefix) : -len(suffix)]
        for name in names
        if name.startswith(prefix) and name.endswith(suffix)
    )
    return [part for stem in stems if (part := part_named(stem)) is not None]


def reader(remote: Remote, prefix: str, suffix: str) -> Callable[[Part], bytes | None]:
    """Return a function that reads a part, patiently, or gives None if it is gone."""

    def read(part: Part) -> bytes | None:
        try:
            return patiently(lambda: read_or_none(remote, f"{prefix}{part.name}{suffix}"))
        except MissingObjectError:
            return None

    return read


def last_whole(remote: Remote, prefix: str, suffix: str, parts: Iterable[Part]) -> int:
    """Return how far the parts go that are whole. They are read for that."""
    last = 0
    for part, _ in assembled(parts, reader(remote, prefix, suffix)):
        last = part.last
    return last
