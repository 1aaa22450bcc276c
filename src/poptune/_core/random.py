"""Derived randomness: every draw has a name, so that no unrelated event can shift it.

A generator, or a seed, comes from (seed, purpose, index, count); nothing is ever drawn from a shared stream.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def derived_generator(seed: int, purpose: str, index: int = 0, count: int = 0) -> np.random.Generator:
    """Return the generator that belongs to a purpose.

    Args:
        seed: The experiment's seed, at least 0.
        purpose: What is drawn, for example ``"donor"`` or ``"explore:optimizer.lr"``.
        index: The trial's index.
        count: How many decisions the trial's journal holds, so that no generator is used twice.

    Example:
        >>> a = derived_generator(0, "donor", index=3, count=1)
        >>> b = derived_generator(0, "donor", index=3, count=1)
        >>> int(a.integers(100)) == int(b.integers(100))
        True
    """
    import numpy as np

    return np.random.default_rng([seed, zlib.crc32(purpose.encode()), index, count])


def derived_seed(seed: int, purpose: str, index: int = 0, count: int = 0) -> int:
    """Return a seed of 32 bits for someone else's generator; the arguments are those of `derived_generator`.

    Making a generator to draw a seed from takes longer than all else that an order to a worker needs.

    Example:
        >>> derived_seed(0, "trial", index=3, count=1)
        83263391
    """
    name = f"{seed} {purpose} {index} {count}"
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "little")
