"""Hyperparameters over the iterations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from poptune._base.arguments import nearest
from poptune._base.equality import index_of
from poptune._base.nested import flatten
from poptune._base.types import TrialId
from poptune._core.schedule import Schedule
from poptune.errors import ConfigurationError
from poptune.plots.best import best_of, title
from poptune.plots.style import BEST, MOST_NAMED, line_style, name
from poptune.results import Result, ResultGrid, Segment

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDE = 100.0
_MOST_LEVEL_NAME = 18

Steps = tuple[list[float], list[Any]]


def schedule(results: Result | ResultGrid | Schedule, keys: Sequence[str] | None = None) -> Figure:
    """Draw the hyperparameters of every trial as steps, and those along the best trial's lineage in black.

    A scale is logarithmic where the values span more than two decades. Values that are no numbers are levels.

    Args:
        results: An experiment; or one trial, of which the lineage alone is drawn; or a schedule.
        keys: Which hyperparameters, nested ones as ``optimizer/lr``; by default all that vary, if any does.

    Raises:
        ConfigurationError: A key is in no config, or there are no hyperparameters.
        ImportError: matplotlib is not installed.
    """
    from poptune.plots.figure import add_legend, add_title, new_figure

    trials = list(results) if isinstance(results, ResultGrid) else []
    ways = list(results.lineage.segments.values()) if isinstance(results, ResultGrid) else []
    best = None if isinstance(results, Schedule) else best_of(results)
    along = best.lineage.segments if best else ()
    if isinstance(results, Schedule):
        along = _segments(results)
    values = _values([*ways, along])
    chosen = _chosen(values, keys)
    figure, panels = new_figure(height=0.8 + 1.9 * len(chosen), panels=len(chosen))
    for panel, key in zip(panels, chosen, strict=True):
        levels = _levels(values[key])
        for index, (trial, way) in enumerate(zip(trials, ways, strict=True)):
            steps = _steps(way, key, levels)
            panel.plot(*steps, label=name(trial.tag), **line_style(index, len(trials)))
        if along:
            panel.plot(*_steps(along, key, levels), label="best lineage", **BEST)
        _scale(panel, key, values[key], levels)
    if best is not None and not isinstance(results, Schedule):
        add_title(panels[0], title(results, best))
    if 0 < len(trials) <= MOST_NAMED:
        add_legend(figure, panels[0])
    return figure


def _segments(schedule: Schedule) -> tuple[Segment, ...]:
    """Return a schedule as segments of a lineage; the last config is drawn on for a fifth of the whole."""
    starts = [at for at, _ in schedule.changes]
    ends = [*starts[1:], starts[-1] + max(1, starts[-1] // 5)]
    return tuple(
        Segment(trial=TrialId(""), tag="", after=after, until=until, config=config)
        for (after, config), until in zip(schedule.changes, ends, strict=True)
    )


def _values(ways: Sequence[Sequence[Segment]]) -> dict[str, list[Any]]:
    """Return all values that each hyperparameter takes, each once."""
    values: dict[str, list[Any]] = {}
    for config in (segment.config for way in ways for segment in way):
        for key, value in flatten(config).items():
            seen = values.setdefault(key, [])
            if index_of(value, seen) is None:
                seen.append(value)
    return values


def _chosen(values: Mapping[str, Sequence[Any]], keys: Sequence[str] | None) -> list[str]:
    for key in keys or ():
        if key not in values:
            raise ConfigurationError(
                f"keys must be hyperparameters, got {key!r}{nearest(key, values)} "
                f"There are: {', '.join(values)}"
            )
    if not values:
        raise ConfigurationError("There is no hyperparameter to draw: the configs are empty")
    varying = [key for key, seen in values.items() if len(seen) > 1]
    return list(keys or varying or values)


def _levels(values: Sequence[Any]) -> Sequence[Any] | None:
    """Return the values from the lowest level to the highest, by text; None where all are numbers."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return None
    return sorted(values, key=_text)


def _text(value: Any) -> str:
    """Return a value's text; a function or class is known by its name."""
    return str(getattr(value, "__name__", value))


def _steps(way: Sequence[Segment], key: str, levels: Sequence[Any] | None) -> Steps:
    """Return a line with a corner at each change, and a gap where the iterations do not go on."""
    xs: list[float] = []
    ys: list[Any] = []
    for segment in way:
        config = flatten(segment.config)
        if xs and segment.after != xs[-1]:
            xs.append(segment.after)
            ys.append(math.nan)
        height = config.get(key, math.nan)
        if levels is not None:
            level = index_of(height, levels) if key in config else None
            height = math.nan if level is None else level
        xs.extend((segment.after, segment.until))
        ys.extend((height, height))
    return xs, ys


def _scale(panel: Any, key: str, values: Sequence[Any], levels: Sequence[Any] | None) -> None:
    panel.set_ylabel(key)
    if levels is not None:
        panel.set_yticks(range(len(levels)), [_text(level)[:_MOST_LEVEL_NAME] for level in levels])
        panel.set_ylim(-0.5, len(levels) - 0.5)
    elif min(values) > 0 and max(values) > _WIDE * min(values):
        panel.set_yscale("log")
