"""The file format of safetensors, but for its arrays: a header in JSON, then data without holes.

Eight bytes hold the header's length. The header names each array's dtype, shape and place, and holds texts
under ``__metadata__``. See https://github.com/huggingface/safetensors.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import mmap
    from collections.abc import Mapping

METADATA = "__metadata__"
"""What no array can be called."""

_ALIGNMENT_BYTES = 64


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself."""

    arrays: Mapping[str, Any]
    """The dtype, shape and place of each array, by its name."""
    metadata: Mapping[str, str]
    data_start: int = 0
    """Where in the file the data begin."""

    def encode(self) -> bytes:
        """Return the bytes with which a file begins; what follows is aligned."""
        text = json.dumps({METADATA: self.metadata, **self.arrays}, separators=(",", ":")).encode()
        text += b" " * (-(8 + len(text)) % _ALIGNMENT_BYTES)
        return struct.pack("<Q", len(text)) + text


def read_header(mapped: mmap.mmap) -> Header:
    """Return the header of a mapped file.

    Raises:
        LookupError, TypeError, ValueError, struct.error: The file is not of the format.
    """
    (header_bytes,) = struct.unpack_from("<Q", mapped)
    start = 8 + header_bytes
    if start > len(mapped):
        raise ValueError("the header is longer than the file")
    arrays = json.loads(mapped[8:start])
    return Header(arrays, arrays.pop(METADATA), start)
