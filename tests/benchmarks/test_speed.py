"""The harness of ``make bench``: what it makes of measurements, and that it runs."""

import json
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from benchmark import (
    Benchmark,
    Figure,
    Program,
    Verdict,
    at_least,
    at_most,
    at_most_times,
    times_faster,
)
from lines import BENCHMARKS
from machine import circumstances
from measuring import (
    PROGRAMS,
    Conditions,
    Measurements,
    ProgramError,
    UnavailableError,
    last_object,
    measure,
    programs_of,
    run_once,
    turns,
)
from report import page, result_of, table, write_results
from rich.console import Console
from spread import Spread, digits, percentile, shown, with_spread

RUN = Path(__file__).parents[2] / "benchmarks" / "speed" / "run.py"
OURS, OTHERS = Program(name="ours", script="core"), Program(name="others", script="core", once=True)
MINE, THEIRS = Figure(OURS, "fit_s"), Figure(OTHERS, "fit_s")


@pytest.fixture
def benchmark_of_two():
    return Benchmark(
        name="two",
        title="Two programs",
        method="One after the other.",
        programs=(OURS, OTHERS),
        limits=(times_faster(MINE, THEIRS, times=4, whom="others"), at_most(MINE, 1.0, what="alone")),
        stated=(("theirs", THEIRS),),
    )


@pytest.fixture
def measurements():
    return Measurements(
        figures={"ours": [{"fit_s": 2.0}, {"fit_s": 3.0}, {"fit_s": 2.5}], "others": [{"fit_s": 20.0}]}
    )


def test_a_spread_is_the_median_with_the_least_and_the_greatest():
    assert Spread.of([3, 1, 2]) == Spread(2, 1, 3)
    assert Spread.of([4, 1]) == Spread(2.5, 1, 4)
    with pytest.raises(ValueError, match="at least one"):
        Spread.of([])


def test_a_percentile_is_a_value_that_was_measured():
    thousand = list(range(1, 1001))
    assert [percentile(thousand, percent) for percent in (50, 99, 99.9, 100)] == [500, 990, 999, 1000]
    assert percentile([7], 99.9) == 7
    assert percentile([1, 2], 0) == 1
    with pytest.raises(ValueError, match="at least one"):
        percentile([], 50)


def test_values_are_shown_with_three_digits_in_a_fitting_unit():
    assert [shown(value, "s") for value in (0, 5e-6, 0.0314, 0.9996, 92.04, 1234.5)] == [
        "0.00 µs",
        "5.00 µs",
        "31.4 ms",
        "1,000 ms",
        "92.0 s",
        "1,234 s",
    ]
    assert shown(123456.7, "/s") == "123,457 /s"
    assert [shown(count, "") for count in (5, 7.5, 1200)] == ["5", "7.5", "1,200"]
    assert digits(99.94) == "99.9"
    assert with_spread(Spread(2.0, 2.0, 2.0), "s") == "2.00 s"
    assert with_spread(Spread(2.0, 0.5, 3.0), "s") == "2.00 s (500 ms … 3.00 s)"


def test_being_so_many_times_faster_is_a_limit_on_the_own_figure():
    limit = times_faster(MINE, THEIRS, times=100, whom="Ray Tune")
    reached = limit.judge({MINE.path: 0.3, THEIRS.path: 39.0})
    assert reached.verdict is Verdict.REACHED
    assert reached.bound == pytest.approx(0.39)
    assert reached.ratio == pytest.approx(0.3 / 0.39)
    assert reached.compared == "130 times faster (39.0 s)"
    assert limit.judge({MINE.path: 0.4, THEIRS.path: 39.0}).verdict is Verdict.MISSED


def test_limits_hold_at_their_bounds_and_not_beyond():
    assert at_most(MINE, 2.0).judge({MINE.path: 2.0}).verdict is Verdict.REACHED
    assert at_most(MINE, 2.0).judge({MINE.path: 2.1}).verdict is Verdict.MISSED
    assert at_least(MINE, 2.0).judge({MINE.path: 2.0}).verdict is Verdict.REACHED
    assert at_least(MINE, 2.0).judge({MINE.path: 1.9}).verdict is Verdict.MISSED
    times = at_most_times(MINE, THEIRS, times=1.5, whom="the loop")
    assert times.judge({MINE.path: 3.0, THEIRS.path: 2.0}).verdict is Verdict.REACHED
    assert times.judge({MINE.path: 3.1, THEIRS.path: 2.0}).verdict is Verdict.MISSED


def test_a_limit_whose_figures_are_missing_is_open():
    limit = times_faster(MINE, THEIRS, times=4, whom="others")
    assert limit.judge({MINE.path: 2.0}).verdict is Verdict.OPEN
    assert limit.judge({THEIRS.path: 2.0}).verdict is Verdict.OPEN


def test_the_toy_with_a_large_state_is_held_against_the_toy_and_twice_the_writing():
    [large] = [benchmark for benchmark in BENCHMARKS if benchmark.name == "toy-10mb"]
    medians = {
        ("toy-poptune", "fit_s"): 0.3,
        ("toy-10mb-poptune", "fit_s"): 0.8,
        ("plain-writes", "write_s"): 0.25,
    }
    judgement = large.limits[0].judge(medians)
    assert judgement.verdict is Verdict.REACHED
    assert judgement.bound == pytest.approx(0.8)
    assert judgement.compared == "the toy and 2.00 times the writing (250 ms)"


def test_programs_are_run_in_alternation_and_once_where_once_is_enough():
    third = Program(name="third", script="core")
    named = [program.name for program in turns([OURS, OTHERS, third], 3)]
    assert named == ["ours", "others", "third", "ours", "third", "ours", "third"]


def test_a_program_of_several_benchmarks_is_run_for_all_of_them_at_once(benchmark_of_two):
    other = Benchmark(name="other", title="", method="", programs=(OTHERS,), limits=())
    assert programs_of([benchmark_of_two, other, benchmark_of_two]) == [OURS, OTHERS]
    namesake = Program(name="ours", script="toy_poptune")
    with pytest.raises(ValueError, match="'ours'"):
        programs_of(
            [benchmark_of_two, Benchmark(name="x", title="", method="", programs=(namesake,), limits=())]
        )


def test_the_last_line_of_a_program_is_its_figures():
    assert last_object('noise\n{"fit_s": 2}\n', OURS) == {"fit_s": 2.0}
    assert last_object("", OURS) == {}
    with pytest.raises(ProgramError, match="must be its figures"):
        last_object("done", OURS)
    with pytest.raises(UnavailableError, match="too old"):
        last_object('{"unavailable": "too old"}', OURS)


def test_a_program_that_cannot_run_here_is_missing_and_the_others_are_measured(tmp_path):
    lacking = Program(name="lacking", script="core", needs=("no-such-distribution",))
    wrong = Program(name="wrong", script="core", arguments=("--no-such-option",))
    announced = []
    measurements = measure([lacking, wrong], Conditions(runs=2, storage=tmp_path), announced.append)
    assert announced == [lacking, wrong, lacking, wrong]
    assert measurements.missing == {"lacking": "no-such-distribution is not installed"}
    assert "--no-such-option" in measurements.failed["wrong"]
    assert measurements.figures == {}
    assert list(tmp_path.iterdir()) == []


def test_a_quick_run_and_one_without_a_library_leave_programs_out(tmp_path):
    slow = Program(name="slow", script="core", is_quick=False, needs=("ray",))
    with pytest.raises(UnavailableError, match="left out of a quick run"):
        run_once(slow, Conditions(quick=True, storage=tmp_path))
    with pytest.raises(UnavailableError, match="run without ray"):
        run_once(slow, Conditions(without=frozenset({"ray"}), storage=tmp_path))


def test_results_tables_and_pages_tell_the_same(benchmark_of_two, measurements):
    result = result_of(benchmark_of_two, measurements, circumstances(), 3)
    assert result["measurements"] == measurements.figures
    assert [row["verdict"] for row in result["limits"]] == ["reached", "missed"]
    console = Console(width=140, record=True, file=StringIO())
    console.print(table([result], caption="small"))
    for text in (console.export_text(), page([result])):
        assert "2.50 s (2.00 s … 3.00 s)" in text
        assert "8.00 times faster (20.0 s)" in text
        assert "missed" in text
    assert "- theirs: 20.0 s" in page([result])
    assert "Two programs: alone" in page([result])


def test_what_could_not_be_measured_is_said_on_the_page(benchmark_of_two, measurements):
    del measurements.figures["others"]
    measurements.failed["others"] = "It broke.\nIn the middle."
    result = result_of(benchmark_of_two, measurements, circumstances(), 3)
    assert [row["verdict"] for row in result["limits"]] == ["not measured", "missed"]
    assert "- not measured: others (It broke.)" in page([result])


def test_lines_that_were_not_run_again_stay_on_the_page(benchmark_of_two, measurements, tmp_path):
    result = result_of(benchmark_of_two, measurements, circumstances(), 3)
    older = {**result, "benchmark": "older", "date": "long ago"}
    write_results(tmp_path, [older], ["two", "older"])
    held = write_results(tmp_path, [result], ["two", "older"])
    assert [one["benchmark"] for one in held] == ["two", "older"]
    assert "- older: measured on" in page(held)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert [one["benchmark"] for one in summary["benchmarks"]] == ["two", "older"]


def test_every_benchmark_names_the_programs_of_its_figures():
    names = [benchmark.name for benchmark in BENCHMARKS]
    assert len(set(names)) == len(names)
    for benchmark in BENCHMARKS:
        programs = set(benchmark.programs)
        assert benchmark.limits or benchmark.stated
        assert {limit.figure.program for limit in benchmark.limits} <= programs
        assert {figure.program for _, figure in benchmark.stated} <= programs
    for program in programs_of(BENCHMARKS):
        assert (PROGRAMS / f"{program.script}.py").is_file()


@pytest.mark.slow
def test_a_quick_run_measures_and_keeps_what_it_is_told_to(tmp_path):
    results, written = tmp_path / "results", tmp_path / "page.md"
    run = subprocess.run(
        [sys.executable, RUN, "--quick", "--only", "core", "--results", results, "--page", written],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Core alone" in run.stdout
    result = json.loads((results / "core.json").read_text())
    assert result["machine"]["cores"] >= 1
    assert result["versions"]["poptune"]
    assert set(result["measurements"]) == {"core-1000", "core-10000", "core-100000"}
    assert result["measurements"]["core-1000"][0]["events"] >= 2200
    assert written.read_text().startswith("# Benchmarks\n")
