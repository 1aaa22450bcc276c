from __future__ import annotations

import io
import math
import re
import sys
from typing import Any

import pytest
from rich.console import Console

from poptune._watching.progress import watch
from poptune._watching.progress.console import LiveProgress


class Terminal:
    """A terminal that remembers what was written to it."""

    def __init__(self, width: int = 100, height: int = 40) -> None:
        self.file = io.StringIO()
        self.console = Console(
            file=self.file,
            force_terminal=True,
            width=width,
            height=height,
            markup=False,
            emoji=False,
            highlight=False,
        )

    def take(self) -> str:
        """What was written since the last call, without colours and movements."""
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", self.file.getvalue())
        self.file.seek(0)
        self.file.truncate()
        return text


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


def live(world: Any, clock: Any, terminal: Terminal) -> LiveProgress:
    return LiveProgress(world.facts, clock=clock, console=terminal.console)


def test_the_table_shows_the_population(four: Any, by_index: Any, clock: Any, terminal: Terminal) -> None:
    with live(four, clock, terminal) as progress:
        progress.observe([*four.first, *four.train(20, by_index)], four.population)
        progress.tick(four.experiment)
        drawn = terminal.take()
    assert "pbt_mnist  0:00" in drawn
    assert re.search(r"trial  status +it  score ↑  lr +gen  donor", drawn)
    assert re.search(r" 1  (running|paused) +\d+  0\.\d+ ", drawn)
    assert "PBT, asynchronous" in drawn
    assert "best: trial" in drawn


def test_exploits_stand_above_the_table(four: Any, by_index: Any, clock: Any, terminal: Terminal) -> None:
    with live(four, clock, terminal) as progress:
        progress.observe([*four.first, *four.train(20, by_index)], four.population)
        progress.tick(four.experiment)
        drawn = terminal.take()
    assert re.search(r"it +5  \d ← \d", drawn)
    assert drawn.index(" ← ") < drawn.index("trial  status")


def test_it_draws_at_most_three_times_a_second_and_each_second_when_nothing_happens(
    four: Any, by_index: Any, clock: Any, terminal: Terminal
) -> None:
    with live(four, clock, terminal) as progress:
        progress.tick(four.experiment)
        terminal.take()
        for _ in range(33):
            progress.observe(four.train(1, by_index), four.population)
            progress.tick(four.experiment)
            clock.now_s += 0.01
        assert terminal.take() == ""
        clock.now_s += 0.01
        progress.tick(four.experiment)
        assert "pbt_mnist" in terminal.take()
        clock.now_s += 0.99
        progress.tick(four.experiment)
        assert terminal.take() == ""
        clock.now_s += 0.02
        progress.tick(four.experiment)
        assert "pbt_mnist" in terminal.take()


def test_a_slow_drawing_is_done_more_rarely(four: Any, clock: Any, terminal: Terminal) -> None:
    class SlowTerminal(Console):
        def print(self, *things: Any, **options: Any) -> None:
            clock.now_s += 0.1
            super().print(*things, **options)

    slow = SlowTerminal(file=terminal.file, force_terminal=True, width=80, height=24)
    with LiveProgress(four.facts, clock=clock, console=slow) as progress:
        progress.tick(four.experiment)
        terminal.take()
        clock.now_s += 4.5
        progress.tick(four.experiment)
        assert terminal.take() == ""
        clock.now_s += 0.6
        progress.tick(four.experiment)
        assert terminal.take() != ""


def test_markup_in_what_trials_print_is_shown_as_it_is(four: Any, clock: Any, terminal: Terminal) -> None:
    with live(four, clock, terminal) as progress:
        progress.observe(four.first, four.population)
        progress.output(four.trial(0).id, "stdout", "[red]loss[/x] :smile: \x1b[31m0.3\x1b[0m")
        progress.tick(four.experiment)
        assert "(trial 0) [red]loss[/x] :smile: 0.3" in terminal.take()


def test_prints_and_warnings_of_the_program_stand_above_the_table(
    four: Any, clock: Any, terminal: Terminal
) -> None:
    stdout = sys.stdout
    with live(four, clock, terminal) as progress:
        progress.tick(four.experiment)
        terminal.take()
        print("[/x] hello")
        print("[/x] no end of line", end="", flush=True)
        print("UserWarning: careful", file=sys.stderr)
        drawn = terminal.take()
        assert drawn.index("[/x] hello") < drawn.index("UserWarning: careful")
        assert "[/x] no end of line" in drawn
        assert "trial  status" in drawn[drawn.index("careful") :]
    assert sys.stdout is stdout


def test_a_failure_is_told_with_the_last_line_of_its_error(four: Any, clock: Any, terminal: Terminal) -> None:
    with live(four, clock, terminal) as progress:
        progress.observe(four.fail(0, "Traceback\n  line\nValueError: [boom]"), four.population)
        progress.tick(four.experiment)
        drawn = terminal.take()
    assert "trial 0 failed at iteration 0: ValueError: [boom]" in " ".join(drawn.split())
    assert "1 error" in drawn


def test_200_trials_fit_the_terminal(world: Any, clock: Any) -> None:
    many = world([{"lr": index / 200} for index in range(200)], slots=4)
    terminal = Terminal(height=20)
    with live(many, clock, terminal) as progress:
        many.create()
        progress.tick(many.experiment)
        drawn = terminal.take()
    assert len(drawn.splitlines()) <= 20
    assert "… and 188 more" in drawn


@pytest.mark.parametrize("width", [30, 50, 80, 120])
def test_no_line_is_wider_than_the_terminal_and_left_out_columns_are_counted(
    world: Any, clock: Any, width: int
) -> None:
    names = [f"parameter_{number}" for number in range(9)]
    wide = world([dict.fromkeys(names, 0.1234567)] * 3, parameters=names, pbt=False)
    wide.create()
    terminal = Terminal(width=width)
    with live(wide, clock, terminal) as progress:
        progress.tick(wide.experiment)
        drawn = terminal.take()
    assert max(map(len, drawn.splitlines())) <= width
    assert width == 30 or re.search(r"\+\d", drawn)


def test_strange_values_do_not_upset_the_table(world: Any, clock: Any, terminal: Terminal) -> None:
    configs = [{"lr": dict}, {"lr": "x" * 500}, {"lr": "[/red]\n\x1b[2J"}, {}]
    strange = world(configs, slots=4, pbt=False)
    strange.create()
    strange.report(0, math.nan)
    strange.report(1, math.inf)
    with live(strange, clock, terminal) as progress:
        progress.tick(strange.experiment)
        drawn = terminal.take()
    assert "nan" in drawn
    assert " dict " in drawn
    assert "x" * 15 + "…" in drawn
    assert "[/red] [2J" in drawn


def test_on_exit_the_final_table_and_the_last_words_remain(
    four: Any, by_index: Any, clock: Any, terminal: Terminal
) -> None:
    with live(four, clock, terminal) as progress:
        progress.observe(four.first, four.population)
        progress.tick(four.experiment)
        progress.observe(four.train(4, by_index), four.population)
        terminal.take()
        progress.finish(completed=False)
        drawn = terminal.take()
    assert terminal.take() == ""
    assert drawn.index("0.104") < drawn.index("pbt_mnist: 4 trials, no exploits")
    assert "continue with: poptune resume /results/pbt_mnist, or in Python: tune.Tuner" in drawn


def test_what_was_not_drawn_yet_is_not_lost_when_the_run_breaks(
    four: Any, clock: Any, terminal: Terminal
) -> None:
    with pytest.raises(ZeroDivisionError), live(four, clock, terminal) as progress:
        progress.observe(four.first, four.population)
        progress.output(four.trial(0).id, "stdout", "my last line")
        raise ZeroDivisionError
    assert "my last line" in terminal.take()


def test_live_can_be_asked_for(four: Any) -> None:
    assert isinstance(watch(style="live", verbose=1, facts=four.facts), LiveProgress)
