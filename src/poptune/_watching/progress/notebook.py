"""The table in a notebook: HTML in one place, updated there; what trials print goes below it."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from html import escape

from poptune._base.types import TrialStatus
from poptune._watching.progress.base import Clock, Watcher
from poptune._watching.progress.facts import RunFacts
from poptune._watching.progress.news import News
from poptune._watching.progress.view import Row, View

_PACE_S = 1.0
_MOST_ROWS = 40
_MOST_EXPLOITS = 8
_STATUS_STYLES = {
    TrialStatus.PENDING: "opacity:.6",
    TrialStatus.RUNNING: "color:#2a9d50",
    TrialStatus.PAUSED: "color:#c98500",
    TrialStatus.TERMINATED: "color:#4a86d8",
    TrialStatus.ERROR: "color:#d9423a;font-weight:bold",
}
_BEST_STYLE = "color:#2a9d50;font-weight:bold"
_CELL_STYLE = "text-align:left;padding:1px 14px 1px 0"

Publish = Callable[[str], None]


def is_notebook() -> bool:
    """Whether the program runs in a notebook's kernel. Imports nothing: a kernel has IPython loaded."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and "IPKernelApp" in shell.config


def publisher() -> Publish:
    """Return a function that shows HTML in the cell's output, each time in the place of the last."""
    from IPython.display import HTML, display

    handle = display(HTML(""), display_id=True)

    def publish(html: str) -> None:
        handle.update(HTML(html))

    return publish


class NotebookProgress(Watcher):
    """Shows a table of the population in a notebook.

    Args:
        facts: What is known of the run.
        clock: The time in seconds.
        publish: Shows HTML in the place of what it showed before.
    """

    def __init__(
        self, facts: RunFacts, *, clock: Clock = time.monotonic, publish: Publish | None = None
    ) -> None:
        super().__init__(facts, clock=clock)
        self._publish = publish
        self._exploits: deque[str] = deque(maxlen=_MOST_EXPLOITS)

    def pace(self, elapsed_s: float) -> tuple[float, float]:
        """Once a second: every drawing is a message to the browser."""
        return _PACE_S, _PACE_S

    def most_rows(self) -> int:
        """A notebook can scroll, but a very long table helps nobody."""
        return _MOST_ROWS

    def start(self) -> None:
        """Take the table's place in the output."""
        if self._publish is None:
            self._publish = publisher()

    def show(self, view: View) -> None:
        """Update the table."""
        if self._publish is not None:
            self._publish(html_of(view, self._exploits))

    def say(self, news: News) -> None:
        """Keep an exploit for the list below the table; print all else."""
        if news.kind == "exploit":
            self._exploits.append(news.text)
        else:
            print(news.text, flush=True)

    def repeat(self, name: str, line: str) -> None:
        """Print a trial's line."""
        print(f"({name}) {line}", flush=True)

    def stop(self) -> None:
        """Nothing is to be taken down: the last table stays."""


def html_of(view: View, exploits: Iterable[str]) -> str:
    """Return a view and the latest exploits as HTML that suits light and dark pages."""
    metric = [view.metric] if view.metric else []
    headings = ["trial", "status", "it", *metric, *view.parameters, "gen", "donor"]
    head = "".join(_cell(heading, "opacity:.6;font-weight:normal", "th") for heading in headings)
    body = "".join(f"<tr>{_cells(row, view)}</tr>" for row in view.rows)
    parts = [
        _line(f"<b>{escape(view.name)}</b>&ensp;{escape(view.time)}"),
        _line(escape(" · ".join(view.facts))),
        _line(escape(view.algorithm), "opacity:.6"),
        f'<table style="border-collapse:collapse;margin:6px 0"><tr>{head}</tr>{body}</table>',
        _line(f"… and {view.hidden} more", "opacity:.6") if view.hidden else "",
        _line(escape(view.best), "color:#2a9d50") if view.best else "",
        *(_line(escape(exploit), "opacity:.8;white-space:pre") for exploit in exploits),
    ]
    return f'<div style="font-family:monospace;font-size:13px">{"".join(parts)}</div>'


def _cells(row: Row, view: View) -> str:
    return "".join(
        [
            _cell(str(row.index)),
            _cell(row.status.lower(), _STATUS_STYLES[row.status]),
            _cell(str(row.iteration)),
            *([_cell(row.metric, _BEST_STYLE if row.is_best else "")] if view.metric else []),
            *(_cell(parameter) for parameter in row.parameters),
            _cell(str(row.generation)),
            _cell(row.donor and f"← {row.donor}"),
        ]
    )


def _cell(text: str, style: str = "", tag: str = "td") -> str:
    return f'<{tag} style="{_CELL_STYLE};{style}">{escape(text)}</{tag}>'


def _line(html: str, style: str = "") -> str:
    return f'<div style="{style}">{html}</div>'
