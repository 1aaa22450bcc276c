"""A table in the terminal, redrawn in place; everything else that is printed goes above it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from poptune._base.types import TrialStatus
from poptune._watching.progress.base import Clock, Watcher
from poptune._watching.progress.facts import RunFacts
from poptune._watching.progress.news import News
from poptune._watching.progress.view import View

_BUSY_S, _IDLE_S = 1 / 3, 1.0
_MOST_ROWS = 24
_LINES_AROUND_ROWS = 8
_GAP = 2
_STATUS_STYLES = {
    TrialStatus.PENDING: "dim",
    TrialStatus.RUNNING: "green",
    TrialStatus.PAUSED: "yellow",
    TrialStatus.TERMINATED: "blue",
    TrialStatus.ERROR: "bold red",
}
_NEWS_STYLES = {"experiment": "bold", "exploit": "", "failure": "red"}


def terminal() -> Console:
    """Return a console that takes every text as it is, also what the program prints meanwhile."""
    return Console(markup=False, emoji=False, highlight=False)


class LiveProgress(Watcher):
    """Shows a table of the population in a terminal.

    Args:
        facts: What is known of the run.
        clock: The time in seconds.
        console: The terminal.
    """

    def __init__(
        self, facts: RunFacts, *, clock: Clock = time.monotonic, console: Console | None = None
    ) -> None:
        super().__init__(facts, clock=clock)
        self._console = terminal() if console is None else console
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
        self._waiting: list[Text] = []
        """Lines for above the table; printed with the next drawing, since each print draws it anew."""

    def pace(self, elapsed_s: float) -> tuple[float, float]:
        """Three times a second, or once where only the clock moves."""
        return _BUSY_S, _IDLE_S

    def most_rows(self) -> int:
        """As many as fit the terminal."""
        return max(1, min(_MOST_ROWS, self._console.height - _LINES_AROUND_ROWS))

    def start(self) -> None:
        """Take over what the program prints."""
        self._live.start()

    def show(self, view: View) -> None:
        """Draw the table, below the lines that came up since."""
        with self._console:  # one write, so that nothing flickers
            self._print_waiting()
            self._live.update(drawing(view, self._console.width), refresh=True)

    def say(self, news: News) -> None:
        """Keep a line for the next drawing."""
        self._print(Text(news.text, style=_NEWS_STYLES[news.kind]))

    def repeat(self, name: str, line: str) -> None:
        """Keep a trial's line for the next drawing."""
        self._print(Text.assemble((f"({name}) ", "dim"), Text.from_ansi(line)))

    def stop(self) -> None:
        """Give the terminal back, with the last table in it."""
        self._print_waiting()
        self._live.stop()

    def _print(self, line: Text) -> None:
        self._waiting.append(line)
        if not self._live.is_started:
            self._print_waiting()

    def _print_waiting(self) -> None:
        if self._waiting:
            self._console.print(*self._waiting, sep="\n", soft_wrap=not self._live.is_started)
            self._waiting.clear()


def drawing(view: View, width: int) -> RenderableType:
    """Return a view as rich draws it, each line cut where the terminal ends."""
    lines = [
        Text(),
        Text.assemble((view.name, "bold"), f"  {view.time}"),
        Text(" · ".join(view.facts)),
        Text(view.algorithm, style="dim"),
        *_table(view, width),
    ]
    if view.hidden:
        lines.append(Text(f"… and {view.hidden} more", style="dim"))
    if view.best:
        lines.append(Text(view.best, style="green"))
    return Text("\n", no_wrap=True, overflow="ellipsis").join(lines)


def _table(view: View, width: int) -> Iterator[Text]:
    """Give the lines of the table. Built by hand: rich's own takes five times as long to draw."""
    rows = view.rows
    best = {True: "bold green", False: ""}
    before = [
        _Column("trial", [(str(row.index), "") for row in rows], right=True),
        _Column("status", [(row.status.lower(), _STATUS_STYLES[row.status]) for row in rows]),
        _Column("it", [(str(row.iteration), "") for row in rows], right=True),
    ]
    if view.metric:
        before.append(_Column(view.metric, [(row.metric, best[row.is_best]) for row in rows]))
    parameters = [
        _Column(heading, [(row.parameters[number], "") for row in rows])
        for number, heading in enumerate(view.parameters)
    ]
    after = [
        _Column("gen", [(str(row.generation), "") for row in rows], right=True),
        _Column("donor", [(row.donor and f"← {row.donor}", "") for row in rows]),
    ]
    room = width - sum(column.width for column in [*before, *after])
    columns = [*before, *_fitting(parameters, room), *after]
    yield Text.assemble(*(column.padded(column.heading) for column in columns), style="dim")
    for cells in zip(*(column.cells for column in columns), strict=True):
        padded = zip(columns, cells, strict=True)
        yield Text.assemble(*((column.padded(text), style) for column, (text, style) in padded))


class _Column:
    """Texts with their styles, below a heading."""

    def __init__(self, heading: str, cells: list[tuple[str, str]], *, right: bool = False) -> None:
        self.heading = heading
        self.cells = cells
        self.width = _GAP + max(cell_len(text) for text in [heading, *(text for text, _ in cells)])
        self._right = right

    def padded(self, text: str) -> str:
        """Return a text of the column's width."""
        padding = " " * (self.width - _GAP - cell_len(text))
        return (padding + text if self._right else text + padding) + " " * _GAP


def _fitting(columns: list[_Column], room: int) -> list[_Column]:
    """Return the columns that there is room for; if some are left out, one says how many."""
    if sum(column.width for column in columns) <= room:
        return columns
    for kept in reversed(range(len(columns))):
        note = _Column(f"+{len(columns) - kept}", [("…", "") for _ in columns[0].cells])
        fitting = [*columns[:kept], note]
        if sum(column.width for column in fitting) <= room:
            return fitting
    return []
