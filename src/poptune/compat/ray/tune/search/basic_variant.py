"""``ray.tune.search.basic_variant``: drawing at random, which is what happens anyhow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from poptune._base.arguments import reject_unknown_keywords
from poptune._base.types import Config
from poptune.compat.ray._arguments import refuse
from poptune.errors import ConfigurationError


@reject_unknown_keywords
@dataclass(frozen=True)
class BasicVariantGenerator:
    """How configs are drawn; its arguments become those of :class:`poptune.TuneConfig`.

    Args:
        points_to_evaluate: Configs of the first trials.
        max_concurrent: Run at most this many trials at once; 0 sets no limit.
        constant_grid_search: Only False can be honoured.
        random_state: The seed of everything that is drawn, or a generator of numpy's to draw it from; by
            default it is drawn from numpy's global one.
    """

    points_to_evaluate: Sequence[Config] | None = None
    max_concurrent: int = 0
    constant_grid_search: bool = False
    random_state: Any = None

    def __post_init__(self) -> None:
        refuse(
            type(self).__name__,
            vars(self),
            {"constant_grid_search": "each trial is drawn by itself; write the points_to_evaluate"},
        )
        object.__setattr__(self, "random_state", _seed(self.random_state))


def _seed(state: object) -> int | None:
    """Return the seed that a number is, or that a generator of numpy's gives."""
    if state is None or isinstance(state, int):
        return state
    draw: Any = getattr(state, "integers", None) or getattr(state, "randint", None)
    if draw is None:
        raise ConfigurationError(
            f"random_state must be a whole number, or a generator of numpy's, got {state!r}"
        )
    return int(draw(2**31 - 1))
