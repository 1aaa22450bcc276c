"""Who copied whom."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from poptune._base.nested import number_at
from poptune.plots.best import best_of, title
from poptune.plots.style import BLACK, MOST_NAMED
from poptune.results import ResultGrid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from poptune.plots.figure import Piece

_LANE = 5.0
_RIM = 2.6
_ALL_LANES = 300.0
"""How thick all lanes may be together, in points."""
_MOST_LABELLED = 30
_BULGE = 0.7
"""How far an arrow bends aside, in lanes, so that those of one iteration can be told apart."""

_Arrow = tuple[int, int, int]
"""Iteration, lane of the donor, lane of the recipient."""


def lineage(results: ResultGrid) -> Figure:
    """Draw a lane for each trial over the iterations, with an arrow from donor to recipient at each exploit.

    The colour is the metric that the experiment optimises. What a trial gave up when it went on from an
    earlier iteration is thin. What led to the best trial's final state has a black rim and black arrows.

    Args:
        results: An experiment.

    Raises:
        ImportError: matplotlib is not installed.
    """
    from poptune.plots import figure as look

    lanes = {trial.trial_id: lane for lane, trial in enumerate(results)}
    labelled = min(len(lanes), _MOST_LABELLED)
    figure, (panel,) = look.new_figure(height=1.5 + 0.28 * labelled)
    look.number_lanes(panel, len(lanes), all_of_them=labelled == len(lanes))

    kept, given_up = _pieces(results)
    scale = [value for _, _, value in kept + given_up if math.isfinite(value)]
    thick = min(_LANE, _ALL_LANES / len(lanes))
    look.draw_pieces(panel, given_up, scale=scale, width=0.3 * thick)
    lines = look.draw_pieces(panel, kept, scale=scale, width=thick)
    if scale and results.metric:
        look.add_colour_bar(figure, panel, lines, results.metric)

    best = best_of(results)
    way = best.lineage.segments if best else ()
    black = {(one.after, lanes[one.donor], lanes[one.trial]) for one in way if one.donor is not None}
    others = {
        (one.donor_iteration, lanes[one.donor], lanes[one.recipient]) for one in results.lineage.exploits
    } - black
    _draw_arrows(panel, sorted(others), color="#7a7a7a", width=0.6 if len(lanes) <= MOST_NAMED else 0.4)
    _draw_arrows(panel, sorted(black), color=BLACK, width=1.3)
    for one in way:
        panel.hlines(lanes[one.trial], one.after, one.until, linewidth=thick + _RIM, color=BLACK, zorder=2.5)
    if best is not None:
        look.add_title(panel, title(results, best))
    return figure


def _pieces(results: ResultGrid) -> tuple[list[Piece], list[Piece]]:
    """Return each iteration of each trial: those it built on, and those it gave up."""
    population, metric = results.lineage, results.metric
    kept: list[Piece] = []
    given_up: list[Piece] = []
    for lane, (trial, segments) in enumerate(population.segments.items()):
        for place, part in enumerate(population.results(trial)):
            went_on_from = min((later.after for later in segments[place + 1 :]), default=math.inf)
            for one in part:
                value = number_at(one.metrics, metric) if metric else None
                pieces = given_up if one.iteration > went_on_from else kept
                pieces.append((lane, one.iteration, math.nan if value is None else value))
    return kept, given_up


def _draw_arrows(panel: Any, arrows: Sequence[_Arrow], *, color: str, width: float) -> None:
    for iteration, donor, recipient in arrows:
        bulge = _BULGE / max(abs(donor - recipient), 1)
        panel.annotate(
            "",
            xy=(iteration, recipient),
            xytext=(iteration, donor),
            arrowprops={
                "arrowstyle": "-|>,head_width=0.18,head_length=0.36",
                "connectionstyle": f"arc3,rad={bulge:.3f}",
                "color": color,
                "linewidth": width,
                "shrinkA": 0,
                "shrinkB": 2,
            },
            zorder=4,
        )
    starts = [arrow[0] for arrow in arrows], [arrow[1] for arrow in arrows]
    panel.plot(*starts, "o", color=color, markersize=2.5 * width + 0.5, zorder=4)
