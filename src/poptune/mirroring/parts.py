"""A file that only grows, as remote objects that never change.

Each part is named by the first and the last of what it holds, counted from 1, and by its checksum:
``000000000001-000000000120-9ae0daaf.json``. So a part that was not written to its end is known by its name,
and the parts that follow each other without a gap from 1 on are a prefix of the file, wherever the writing
broke off.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

_NAME = re.compile(r"(?P<first>\d{12,})-(?P<last>\d{12,})-(?P<crc32>[0-9a-f]{8})")
_AT_ONE_LEVEL = 16
"""So many parts of about one size are made one, which is then counted among the larger ones."""
_LARGEST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one object holds."""

    first: int
    last: int
    crc32: int

    @property
    def name(self) -> str:
        return f"{self.first:012d}-{self.last:012d}-{self.crc32:08x}"


def part_named(name: str) -> Part | None:
    """Return the part that has this name; None if it is not a part's."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    part = Part(first=int(found["first"]), last=int(found["last"]), crc32=int(found["crc32"], 16))
    return part if 1 <= part.first <= part.last and part.name == name else None


def assembled(parts: Iterable[Part], read: Callable[[Part], bytes | None]) -> Iterator[tuple[Part, bytes]]:
    """Return the parts that make up the longest prefix that is whole, each with its content.

    Args:
        parts: Those that are there, in any order; some may hold what others hold, too.
        read: Returns a part's content, or None if it is not there any more.
    """
    by_first: dict[int, list[Part]] = {}
    for part in parts:
        by_first.setdefault(part.first, []).append(part)
    following = 1
    while True:
        for part in sorted(by_first.get(following, ()), key=lambda one: -one.last):
            content = read(part)
            if content is not None and zlib.crc32(content) == part.crc32:
                following = part.last + 1
                yield part, content
                break
        else:
            return


def matching(parts: Iterable[Part], crc32: Callable[[int, int], int | None]) -> list[Part]:
    """Return the parts, one after another from 1 on, that hold just what is here.

    Args:
        parts: Those that are there.
        crc32: The checksum of what is here from one number to another; None if that is not here.
    """
    by_first: dict[int, list[Part]] = {}
    for part in parts:
        by_first.setdefault(part.first, []).append(part)
    chain: list[Part] = []
    while True:
        following = chain[-1].last + 1 if chain else 1
        for part in sorted(by_first.get(following, ()), key=lambda one: -one.last):
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
