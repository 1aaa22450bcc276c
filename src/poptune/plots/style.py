"""Which colour and which name a trial has in every figure."""

from __future__ import annotations

from typing import Any

MOST_NAMED = 10
"""More trials than these are drawn alike, without a legend."""
BLACK = "#111111"
BEST: dict[str, Any] = {"color": BLACK, "linewidth": 2.0, "zorder": 4, "solid_capstyle": "round"}
_COLOURS = (  # Paul Tol's "muted", which colour-blind people can tell apart, and his dark brown
    "#CC6677",
    "#332288",
    "#DDCC77",
    "#117733",
    "#88CCEE",
    "#882255",
    "#44AA99",
    "#999933",
    "#AA4499",
    "#661100",
)


def line_style(index: int, trials: int) -> dict[str, Any]:
    """Return how the line of a trial is drawn among so many."""
    if trials > MOST_NAMED:
        return {"color": "#8a8f98", "linewidth": 0.7, "alpha": 0.55}
    return {"color": _COLOURS[index % len(_COLOURS)], "linewidth": 1.2, "alpha": 0.9}


def name(tag: str) -> str:
    """Return what a trial with this tag is called: the tag itself has values that may have changed since.

    Example:
        >>> name("3_lr=0.0701")
        'trial 3'
    """
    return f"trial {tag.partition('_')[0]}"
