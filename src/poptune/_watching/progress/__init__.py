"""What is shown of an experiment while it runs: a live table, a notebook's, lines, or nothing."""

from __future__ import annotations

from typing import Literal

from poptune._watching.progress.base import Progress
from poptune._watching.progress.facts import RunFacts
from poptune._watching.progress.silent import Silent

__all__ = ["Progress", "RunFacts", "watch"]

Style = Literal["auto", "live", "lines", "notebook"]


def watch(*, style: Style, verbose: int, facts: RunFacts) -> Progress:
    """Return what shows a run; enter it before the run begins.

    Args:
        style: How it is shown; ``"auto"`` takes what fits the place where the program runs.
        verbose: 0 shows nothing.
        facts: What is known of the run.
    """
    if verbose == 0:
        return Silent()
    match _fitting_style() if style == "auto" else style:
        case "notebook":
            from poptune._watching.progress.notebook import NotebookProgress

            return NotebookProgress(facts)
        case "live":
            from poptune._watching.progress.console import LiveProgress

            return LiveProgress(facts)
        case _:
            from poptune._watching.progress.lines import LineProgress

            return LineProgress(facts)


def _fitting_style() -> Style:
    from poptune._watching.progress.console import terminal
    from poptune._watching.progress.notebook import is_notebook

    if is_notebook():
        return "notebook"
    console = terminal()
    can_draw = console.is_terminal and not console.is_dumb_terminal
    return "live" if can_draw and console.encoding.startswith("utf") else "lines"
