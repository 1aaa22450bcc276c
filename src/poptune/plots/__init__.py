"""Figures of results. Each function returns a matplotlib ``Figure``: save it with ``figure.savefig(path)``.

No global state of matplotlib is read or changed, and no window is opened.
"""

from poptune.plots.curves import curves
from poptune.plots.lineage import lineage
from poptune.plots.schedule import schedule

__all__ = ["curves", "lineage", "schedule"]
