"""For values that a user draws by hand, outside any run, which has generators of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def global_generator() -> np.random.Generator:
    """Return a generator that follows from the state of numpy's global one, and moves that on."""
    import numpy as np

    return np.random.default_rng(np.random.randint(2**31))
