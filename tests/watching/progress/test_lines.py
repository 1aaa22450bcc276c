from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from poptune._watching.progress import watch
from poptune._watching.progress.lines import LineProgress


def test_a_whole_run_in_lines(four: Any, by_index: Any, clock: Any) -> None:
    file = io.StringIO()
    with LineProgress(four.facts, clock=clock, file=file) as progress:
        progress.observe(four.first, four.population)
        progress.tick(four.experiment)
        progress.observe(four.train(4, by_index), four.population)
        clock.now_s += 10
        progress.tick(four.experiment)
        progress.finish(completed=True)
    first, start, status, end, best = file.getvalue().splitlines()
    assert first == "pbt_mnist: 4 trials on 2 slots. Results: /results/pbt_mnist"
    assert start.startswith("0:00 · iteration 0 · 2 running, 2 pending · slots 2/2")
    assert status.startswith("0:10, about ")
    assert status.endswith("best: trial 1, score 0.104 at iteration 4, lr 0.2")
    assert end.startswith("pbt_mnist: 4 trials, no exploits, no errors, 0:10.")
    assert best.startswith("Best: trial 1, score 0.104")


def test_there_is_a_status_at_most_every_ten_seconds_and_rarely_in_a_long_run(
    four: Any, by_index: Any, clock: Any
) -> None:
    def statuses(seconds: int) -> int:
        before = len(file.getvalue().splitlines())
        for _ in range(seconds):
            clock.now_s += 1
            four.report(0, clock.now_s) if four.trial(0).iteration < 4 else four.report(1, clock.now_s)
            progress.tick(four.experiment)
        return len(file.getvalue().splitlines()) - before

    file = io.StringIO()
    four.facts.stop.clear()
    with LineProgress(four.facts, clock=clock, file=file) as progress:
        progress.tick(four.experiment)
        assert statuses(9) == 0
        clock.now_s += 6000
        progress.tick(four.experiment)
        for _ in range(99):
            clock.now_s += 1
            progress.tick(four.experiment)
        assert len(file.getvalue().splitlines()) == 2


def test_a_status_that_says_nothing_new_is_left_out(four: Any, clock: Any) -> None:
    file = io.StringIO()
    with LineProgress(four.facts, clock=clock, file=file) as progress:
        for _ in range(5):
            progress.tick(four.experiment)
            clock.now_s += 100
    assert len(file.getvalue().splitlines()) == 1


def test_what_trials_print_carries_their_number_and_no_escape_codes(four: Any, clock: Any) -> None:
    file = io.StringIO()
    progress = LineProgress(four.facts, clock=clock, file=file)
    progress.observe(four.first, four.population)
    progress.output(four.trial(0).id, "stdout", "\x1b[31m[red]loss[/x]\x1b[0m 0.3\x1b]8;;http://x\x07")
    assert file.getvalue().splitlines()[-1] == "(trial 0) [red]loss[/x] 0.3"


def test_a_file_of_a_poor_encoding_gets_question_marks_not_an_error(four: Any, clock: Any) -> None:
    raw = io.BytesIO()
    progress = LineProgress(four.facts, clock=clock, file=io.TextIOWrapper(raw, encoding="ascii"))
    progress.output(four.trial(0).id, "stdout", "0 ← 1")
    assert b"0 ? 1" in raw.getvalue()


def test_a_reader_that_went_away_does_not_end_the_training(four: Any, clock: Any) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    LineProgress(four.facts, clock=clock, file=Gone()).output(four.trial(0).id, "stdout", "hello")


def test_an_error_in_the_run_passes(four: Any, clock: Any) -> None:
    with pytest.raises(ZeroDivisionError), LineProgress(four.facts, clock=clock, file=io.StringIO()):
        raise ZeroDivisionError


def test_verbose_0_prints_nothing(four: Any, by_index: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with watch(style="live", verbose=0, facts=four.facts) as progress:
        progress.observe(four.first, four.population)
        progress.tick(four.experiment)
        progress.output(four.trial(0).id, "stderr", "hello")
        progress.observe(four.fail(0, "boom"), four.population)
        progress.finish(completed=False)
    assert capsys.readouterr() == ("", "")


def test_without_a_terminal_auto_means_lines(four: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with watch(style="auto", verbose=1, facts=four.facts) as progress:
        assert isinstance(progress, LineProgress)
        progress.observe(four.first, four.population)
        progress.tick(four.experiment)
        progress.finish(completed=True)
    printed = capsys.readouterr().out
    assert printed.startswith("pbt_mnist: 4 trials")
    assert "\x1b" not in printed


def test_a_tick_that_draws_nothing_looks_at_nothing_but_the_clock(four: Any, clock: Any) -> None:
    file = io.StringIO()
    progress = LineProgress(four.facts, clock=clock, file=file)
    progress.tick(four.experiment)
    drawn = file.getvalue()
    calls = []
    sys.setprofile(lambda frame, event, called: calls.append(event))
    try:
        progress.tick(Untouchable())
    finally:
        sys.setprofile(None)
    assert calls.count("call") <= 2, "the tick itself, and the clock"
    assert file.getvalue() == drawn
    clock.now_s += 3600
    with pytest.raises(AssertionError, match="looked at"):
        progress.tick(Untouchable())


class Untouchable:
    """An experiment that nobody may look at."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was looked at")
