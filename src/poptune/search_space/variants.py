"""The configs that an experiment starts with, and the tags of its trials."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from functools import partial
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from poptune.errors import ConfigurationError
from poptune.search_space.domains import GridSearch
from poptune.search_space.space import Resolved, entries, place, resolve, validate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

_SMALLEST, _TOO_LARGE = 1e-4, 1e6
"""Between these, four decimals show a number well."""
_LONGEST_VALUE = 32


def variants(
    space: Mapping[str, Any],
    *,
    num_samples: int,
    generator: Callable[[int, str], np.random.Generator],
    points_to_evaluate: Sequence[Mapping[str, Any]] = (),
) -> list[Resolved]:
    """Draw the configs of all trials: every combination of the grid, ``num_samples`` times.

    The combinations of one sample stand together, and the first `grid_search` varies fastest, as in
    Ray. A point that gives the value of a `grid_search` is not combined with its other values.

    Args:
        space: The space.
        num_samples: How often the grid is gone through; without a grid, the number of trials.
        generator: Gives the generator for a trial's index and a dotted path.
        points_to_evaluate: Partial configs for the first samples, of which each counts as one.

    Raises:
        ConfigurationError: If the space is malformed, ``num_samples`` is below 1, or there are more
            points than samples or one with an unknown key.

    Example:
        >>> from poptune.search_space import grid_search
        >>> found = variants(
        ...     {"lr": 0.1, "width": grid_search([32, 64])},
        ...     num_samples=1,
        ...     generator=lambda index, path: np.random.default_rng(index),
        ... )
        >>> [variant.config for variant in found]
        [{'lr': 0.1, 'width': 32}, {'lr': 0.1, 'width': 64}]
    """
    validate(space)
    points = _check_points(space, num_samples, points_to_evaluate)
    grids = {path: e.values for path, e in entries(space).items() if isinstance(e, GridSearch)}
    found: list[Resolved] = []
    for sample in range(num_samples):
        fixed = points[sample] if sample < len(points) else {}
        free = {path: values for path, values in grids.items() if path not in fixed}
        for combination in itertools.product(*reversed(free.values())):
            index = len(found)
            grid = dict(zip(reversed(free), combination, strict=True))
            found.append(
                resolve(
                    space,
                    generator=partial(generator, index),
                    grid=grid,
                    fixed=fixed,
                )
            )
    return found


def trial_tag(index: int, sampled: Mapping[str, Any]) -> str:
    """Name a trial by its index and the values drawn for it.

    Args:
        index: The trial's index within its experiment.
        sampled: The values by dotted path. Of a path the last part is shown, unless it is a number
            or another path ends in it too.

    Returns:
        The tag, made of characters that may stand in a file name.

    Example:
        >>> trial_tag(0, {"optimizer.lr": 0.07012, "optimizer.momentum": 0.1774})
        '0_lr=0.0701,momentum=0.1774'
        >>> trial_tag(1, {"lr": 1.234e-5, "activation": "leaky relu"})
        '1_lr=1.234e-05,activation=leaky_relu'
        >>> trial_tag(2, {})
        '2'
    """
    last_parts = {path: path.rpartition(".")[2] for path in sampled}
    uses = Counter(last_parts.values())
    shown = [
        f"{_safe(path if last.isdecimal() or uses[last] > 1 else last)}={_shown(sampled[path])}"
        for path, last in last_parts.items()
    ]
    return f"{index}_{','.join(shown)}" if shown else str(index)


def _check_points(
    space: Mapping[str, Any], num_samples: int, points: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    if not _is_whole(num_samples) or num_samples < 1:
        raise ConfigurationError(
            f"num_samples must be a whole number above 0, got {num_samples!r}: set it to the size "
            "of the population."
        )
    if len(points) > num_samples:
        raise ConfigurationError(
            f"points_to_evaluate must hold at most num_samples={num_samples} configs, got "
            f"{len(points)}: raise num_samples or drop points."
        )
    return [place(space, point, what=f"points_to_evaluate[{number}]") for number, point in enumerate(points)]


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _shown(value: object) -> str:
    if isinstance(value, Real) and not isinstance(value, Integral):
        number = float(value)
        is_readable = number == 0 or _SMALLEST <= abs(number) < _TOO_LARGE
        return f"{number:.4f}" if is_readable else f"{number:.3e}"
    name = getattr(value, "__name__", value)  # a class or function is known by its name
    return _safe(str(name))[:_LONGEST_VALUE]


def _safe(text: str) -> str:
    return re.sub(r"[^\w.+-]", "_", text)
