"""Derived randomness: every draw has a name, so that no unrelated event can shift it.

A generator is seeded by (seed, purpose, index, count); nothing is ever drawn from a shared stream.
"""

from __future__ import annotations

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
    import numpy as np  # noqa: PLC0415 - importing poptune stays light

    return np.random.default_rng([seed, zlib.crc32(purpose.encode()), index, count])
