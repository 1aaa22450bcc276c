"""The trial that a figure emphasises."""

from __future__ import annotations

from poptune._base.nested import number_at
from poptune.errors import ConfigurationError, ExperimentError
from poptune.plots.style import name
from poptune.results import Result, ResultGrid


def best_of(results: Result | ResultGrid) -> Result | None:
    """Return the best trial by the experiment's own metric; None where there is no best yet."""
    if isinstance(results, Result):
        return results
    try:
        return results.get_best_result()
    except (ConfigurationError, ExperimentError):
        return None


def title(results: Result | ResultGrid, best: Result) -> str:
    """Return a line that says whose lineage is drawn in black, and what it has reached."""
    which = "lineage" if isinstance(results, Result) else "best lineage in black"
    value = number_at(best.metrics, best.metric) if best.metric else None
    reached = f", {best.metric} {value:.4g}" if value is not None else ""
    return f"{which}: {name(best.tag)}{reached}"
