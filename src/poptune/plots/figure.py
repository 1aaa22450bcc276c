"""The look that all figures share: the one place that imports matplotlib."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

try:
    from matplotlib import colormaps
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, MaxNLocator
except ImportError as error:
    raise ImportError('Plots need matplotlib, which is not installed: pip install "poptune[plot]"') from error

_DPI = 150
_INK = "#333333"
_FAINT = "#dddddd"

Piece = tuple[int, int, float]
"""Lane, iteration, value."""


class Plot(Figure):
    """A figure that a notebook shows even where pyplot was never imported."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def new_figure(*, height: float, panels: int = 1, width: float = 8.0) -> tuple[Plot, list[Any]]:
    """Return an empty figure, sizes in inches, and its panels from top to bottom, which share the x axis."""
    figure = Plot(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="white")
    axes = figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0]
    for panel in axes:
        _make_plain(panel)
    axes[-1].set_xlabel("training iteration")
    figure.align_ylabels(axes)
    return figure, list(axes)


def add_legend(figure: Plot, panel: Any) -> None:
    """Put the legend of a panel beside the figure's panels."""
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=8, labelcolor=_INK)


def add_title(panel: Any, text: str) -> None:
    """Put a line above a panel."""
    panel.set_title(text, loc="left", fontsize=10, color=_INK)


def number_lanes(panel: Any, lanes: int, *, all_of_them: bool) -> None:
    """Make a panel one of lanes, the first on top, labelled with the numbers of trials."""
    panel.set_ylim(lanes - 0.4, -0.6)
    panel.set_ylabel("trial")
    panel.yaxis.set_major_locator(FixedLocator(range(lanes)) if all_of_them else MaxNLocator(integer=True))
    panel.grid(visible=False)


def draw_pieces(panel: Any, pieces: Sequence[Piece], *, scale: Sequence[float], width: float) -> Any:
    """Draw iterations in lanes, coloured by value on the scale of all finite ones; any other is grey."""
    lines = panel.hlines(
        [lane for lane, _, _ in pieces],
        [iteration - 1 for _, iteration, _ in pieces],
        [iteration for _, iteration, _ in pieces],
        linewidth=width,
        antialiased=False,
        zorder=3,
    )
    lines.set_cmap(colormaps["viridis"].with_extremes(bad="#bbbbbb"))
    lines.set_array([value if math.isfinite(value) else math.nan for _, _, value in pieces])
    if scale:
        lines.set_clim(min(scale), max(scale))
    return lines


def add_colour_bar(figure: Plot, panel: Any, lines: Any, label: str) -> None:
    """Put the scale of coloured lines beside a panel."""
    bar = figure.colorbar(lines, ax=panel, fraction=0.035, pad=0.02, aspect=28)
    bar.set_label(label, color=_INK)
    bar.ax.tick_params(color="#999999", labelcolor=_INK, labelsize=9)
    bar.outline.set_visible(False)


def _make_plain(panel: Any) -> None:
    panel.spines[["top", "right"]].set_visible(False)
    panel.spines[["left", "bottom"]].set_color("#999999")
    panel.tick_params(which="both", color="#999999", labelcolor=_INK, labelsize=9)
    panel.xaxis.label.set_color(_INK)
    panel.yaxis.label.set_color(_INK)
    panel.margins(x=0.02)
    panel.grid(axis="y", color=_FAINT, linewidth=0.6)
    panel.set_axisbelow(True)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
