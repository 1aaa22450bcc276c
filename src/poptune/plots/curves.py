"""A metric over the iterations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from poptune._base.nested import flatten, number_at
from poptune._core.events import Reported
from poptune.errors import ConfigurationError, ExperimentError, PoptuneError
from poptune.plots.best import best_of, title
from poptune.plots.style import BEST, BLACK, MOST_NAMED, line_style, name
from poptune.results import Lineage, Result, ResultGrid
from poptune.results.scores import missing_metric

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Point = tuple[int, float]


def curves(results: Result | ResultGrid, metric: str | None = None, *, best_only: bool = False) -> Figure:
    """Draw a metric of every trial, and of the best trial's lineage in black.

    A trial's line is broken where it took over another's state; the lineage's has a dot there.

    Args:
        results: An experiment, or one trial, of which the lineage alone is drawn.
        metric: What to draw, by default what the experiment optimises, by which the best trial is always
            chosen.
        best_only: Draw the lineage of the best trial alone.

    Raises:
        ConfigurationError: There is no metric, or nobody reported it as a number.
        ExperimentError: No trial has reported a result yet.
        ImportError: matplotlib is not installed.
    """
    from poptune.plots.figure import add_legend, add_title, new_figure

    metric = metric or results.metric
    if metric is None:
        raise ConfigurationError(
            'curves() needs a metric, and the experiment names none: write, for example, metric="loss"'
        )
    trials = [] if best_only or isinstance(results, Result) else list(results)
    lines = _lines(results, metric) if isinstance(results, ResultGrid) and trials else []
    best = best_of(results)
    along = best.lineage.results() if best else []
    if not any(lines) and not _line(along, metric):
        raise _nothing_to_draw(results, metric)
    figure, (panel,) = new_figure(height=4.2)
    panel.set_ylabel(metric)
    for index, (trial, line) in enumerate(zip(trials, lines, strict=True)):
        if line:  # one that was born and retired again may have reported nothing
            panel.plot(*_columns(line), label=name(trial.tag), **line_style(index, len(trials)))
    if best is not None:
        _emphasise(panel, _line(along, metric), best.lineage)
        add_title(panel, title(results, best))
    if 0 < len(trials) <= MOST_NAMED:
        add_legend(figure, panel)
    return figure


def _lines(results: ResultGrid, metric: str) -> list[list[Point]]:
    """Return each trial's own line, with a gap before each state that it took over."""
    population = results.lineage
    lines = []
    for trial, segments in population.segments.items():
        line: list[Point] = []
        for segment, part in zip(segments, population.results(trial), strict=True):
            if line and (segment.donor is not None or segment.after < line[-1][0]):
                line.append((segment.after, math.nan))
            line.extend(_line(part, metric))
        lines.append(line)
    return lines


def _line(results: Sequence[Reported], metric: str) -> list[Point]:
    """Return the points where the metric was reported."""
    points = ((one.iteration, number_at(one.metrics, metric)) for one in results)
    return [(iteration, value) for iteration, value in points if value is not None]


def _columns(line: Sequence[Point]) -> tuple[list[int], list[float]]:
    return [iteration for iteration, _ in line], [value for _, value in line]


def _emphasise(panel: Any, line: Sequence[Point], lineage: Lineage) -> None:
    panel.plot(*_columns(line), label="best lineage", **BEST)
    copied_at = {segment.after for segment in lineage.segments if segment.donor is not None}
    dots = [point for point in line if point[0] in copied_at]
    panel.plot(*_columns(dots), "o", color=BLACK, markersize=4.5, zorder=5)


def _nothing_to_draw(results: Result | ResultGrid, metric: str) -> PoptuneError:
    grid = [results] if isinstance(results, Result) else results
    reported = {key for result in grid for key in flatten(result.metrics) if not _is_config(key)}
    if not reported:
        return ExperimentError("There is nothing to draw: no trial has reported a result yet")
    return missing_metric(metric, reported)


def _is_config(key: str) -> bool:
    return key == "config" or key.startswith("config/")
