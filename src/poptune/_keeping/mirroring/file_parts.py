"""A file that only grows, as remote objects that never change.

Each part is named by the first and the last of what it holds, counted from 1, by the session that wrote it,
and by its checksum: ``000000000001-000000000120-0003-9ae0daaf.json``. So a part that was not written to its
end is known by its name, and the parts that follow each other without a gap from 1 on are a prefix of the
file, wherever the writing broke off. Of two that begin alike, the later session's counts: what an overtaken
controller writes too late is never mistaken for what its successor has written.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

_NAME = re.compile(r"(?P<first>\d{12,})-(?P<last>\d{12,})-(?P<session>\d{4,})-(?P<crc32>[0-9a-f]{8})")
_AT_ONE_LEVEL = 16
"""So many parts of about one size are made one, which is then counted among the larger ones."""
_LARGEST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one object holds."""

    first: int
    last: int
    session: int
    crc32: int

    @property
    def name(self) -> str:
        return f"{self.first:012d}-{self.last:012d}-{self.session:04d}-{self.crc32:08x}"


def part_named(name: str) -> Part | None:
    """Return the part that has this name; None if it is not a part's."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    first, last, session = (int(found[which]) for which in ("first", "last", "session"))
    part = Part(first=first, last=last, session=session, crc32=int(found["crc32"], 16))
    return part if 1 <= part.first <= part.last and part.name == name else None


def assembled(parts: Iterable[Part], read: Callable[[Part], bytes | None]) -> Iterator[tuple[Part, bytes]]:
    """Return the parts that make up the longest prefix that is whole, each with its content.

    Args:
        parts: Those that are there, in any order; some may hold what others hold, too.
        read: Returns a part's content, or None if it is not there any more.
    """
    by_first = _by_first(parts)
    following = 1
    while True:
        for part in by_first.get(following, ()):
            content = read(part)
            if content is not None and zlib.crc32(content) == part.crc32:
                following = part.last + 1
                yield part, content
                break
        else:
            return


def _by_first(parts: Iterable[Part]) -> dict[int, list[Part]]:
    """Return the parts by where they begin: the latest session's first, and of those the longest first."""
    by_first: dict[int, list[Part]] = {}
    for part in sorted(parts, key=lambda one: (-one.session, -one.last)):
        by_first.setdefault(part.first, []).append(part)
    return by_first


def matching(parts: Iterable[Part], crc32: Callable[[int, int], int | None]) -> list[Part]:
    """Return the parts, one after another from 1 on, that hold just what is here.

    Args:
        parts: Those that are there.
        crc32: The checksum of what is here from one number to another; None if that is not here.
    """
    by_first = _by_first(parts)
    chain: list[Part] = []
    while True:
        following = chain[-1].last + 1 if chain else 1
        for part in by_first.get(following, ()):
            if crc32(part.first, part.last) == part.crc32:
                chain.append(part)
                break
        else:
            return chain


@dataclass(slots=True)
class Sized:
    """A part, and how it came about."""

    part: Part
    size_bytes: int
    level: int = 0


def to_merge(chain: Sequence[Sized]) -> Sequence[Sized]:
    """Return the last parts of a file if it is time to make them one; else none.

    So a file of n records is kept in about log n parts, and each record is written about log n times.
    """
    tail = chain[-_AT_ONE_LEVEL:]
    is_full = len(tail) == _AT_ONE_LEVEL and len({one.level for one in tail}) == 1
    return tail if is_full and sum(one.size_bytes for one in tail) <= _LARGEST_BYTES else ()
