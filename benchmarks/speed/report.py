"""What came of a run: a table for the terminal, files of results, and the page that is written from them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark import Benchmark, Figure, Verdict
from measuring import Measurements
from rich.table import Table
from spread import Spread, digits, with_spread

SUMMARY = "summary.json"
MARKS = {Verdict.REACHED: "green", Verdict.MISSED: "bold red", Verdict.OPEN: "yellow"}

INTRODUCTION = """\
# Benchmarks

What poptune itself costs, beside the same work done by others or by a plain loop, each against the limit that
was set for it beforehand. This page is written by `make bench` from the files in `benchmarks/speed/results`,
which hold every single measurement.

```
make bench                             # all of it, three runs: half an hour, most of it Ray Tune's
make bench ARGS="--only core report"   # some lines
make bench ARGS="--runs 5 --without ray"
make bench ARGS="--quick"              # does everything work? Sizes are cut, Ray is left out, nothing is kept
```

Programs are run in alternation (A B C A B C), each in a fresh process, so that a drift of the machine meets
all of them. A figure is the median of the runs, with the least and the greatest. The ratio is the figure
divided by what it may just be: at most 1 reaches an upper limit (≤, or so many times faster), at least 1 a
lower one (≥). Where the tutorial's time goes is in [a page of its own](where_the_time_goes.md).
"""


def rows_of(benchmark: Benchmark, measurements: Measurements) -> list[dict[str, object]]:
    """Return a row a limit: the figure, its limit, and how it stands, ready for JSON."""
    spreads, medians = measurements.spreads(), measurements.medians()
    rows = []
    for limit in benchmark.limits:
        judgement = limit.judge(medians)
        figure = limit.figure
        rows.append(
            {
                "what": limit.what,
                "figure": ":".join(figure.path),
                "measured": told(figure, spreads),
                "asked": limit.asked,
                "stands": judgement.compared,
                "bound": judgement.bound,
                "ratio": judgement.ratio,
                "verdict": judgement.verdict.value,
            }
        )
    return rows


def told(figure: Figure, spreads: Mapping[tuple[str, str], Spread]) -> str:
    spread = spreads.get(figure.path)
    return with_spread(spread, figure.unit) if spread else "-"


def why_missing(benchmark: Benchmark, measurements: Measurements) -> dict[str, str]:
    reasons = {**measurements.missing, **measurements.failed}
    return {program.name: reasons[program.name] for program in benchmark.programs if program.name in reasons}


def result_of(
    benchmark: Benchmark, measurements: Measurements, circumstances: Mapping[str, object], runs: int
) -> dict[str, object]:
    """Return all that is known of a benchmark's measurements."""
    spreads = measurements.spreads()
    programs = [program.name for program in benchmark.programs]
    return {
        "benchmark": benchmark.name,
        "title": benchmark.title,
        "method": benchmark.method,
        **circumstances,
        "runs": runs,
        "limits": rows_of(benchmark, measurements),
        "stated": {what: told(figure, spreads) for what, figure in benchmark.stated},
        "not_measured": why_missing(benchmark, measurements),
        "measurements": {
            name: measurements.figures[name] for name in programs if name in measurements.figures
        },
    }


def table(results: Sequence[Mapping], *, caption: str = "") -> Table:
    shown = Table(caption=caption or None)
    for column in ("benchmark", "", "measured", "limit", "stands", "ratio", ""):
        shown.add_column(column, overflow="fold", justify="right" if column == "ratio" else "left")
    for result in results:
        for number, row in enumerate(result["limits"]):
            verdict = Verdict(row["verdict"])
            shown.add_row(
                result["title"] if number == 0 else "",
                row["what"],
                row["measured"],
                row["asked"],
                row["stands"],
                "" if row["ratio"] is None else digits(row["ratio"]),
                f"[{MARKS[verdict]}]{verdict.value}[/]",
            )
        shown.add_section()
    return shown


def write_results(folder: Path, results: Sequence[Mapping], order: Sequence[str]) -> list[dict]:
    """Keep the results, and return all that the folder holds now, in the order of the table."""
    folder.mkdir(parents=True, exist_ok=True)
    for result in results:
        _write_json(folder / f"{result['benchmark']}.json", result)
    paths = [folder / f"{name}.json" for name in order]
    held = [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]
    summary = [
        {key: result[key] for key in ("benchmark", "title", "date", "machine", "versions", "runs", "limits")}
        for result in held
    ]
    _write_json(folder / SUMMARY, {"benchmarks": summary})
    return held


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def page(results: Sequence[Mapping]) -> str:
    lines = [INTRODUCTION, *_where_measured(results), ""]
    lines += ["| benchmark | measured | limit | stands | ratio | |", "|---|---|---|---|---|---|"]
    for result in results:
        for row in result["limits"]:
            name = f"{result['title']}: {row['what']}" if row["what"] else result["title"]
            ratio = "" if row["ratio"] is None else digits(row["ratio"])
            cells = (name, row["measured"], row["asked"], row["stands"], ratio, row["verdict"])
            lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
    for result in results:
        lines += ["", f"## {result['title']}", "", result["method"]]
        stated, missing = result["stated"].items(), result["not_measured"].items()
        beside = [f"- {what}: {value}" for what, value in stated]
        beside += [f"- not measured: {name} ({_first_line(why)})" for name, why in missing]
        lines += ["", *beside] if beside else []
    return "\n".join(lines) + "\n"


def _where_measured(results: Sequence[Mapping]) -> list[str]:
    """Return one line a machine and day, with the benchmarks it goes for unless it goes for all."""
    places: dict[str, list[str]] = {}
    for result in results:
        machine, versions = result["machine"], result["versions"]
        place = (
            f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']} GiB, "
            f"{machine['platform']}, {machine['python']}; "
            f"{', '.join(f'{name} {number}' for name, number in versions.items())}; "
            f"{result['runs']} run{'s' if result['runs'] > 1 else ''}, {result['date']}, "
            f"load before {result['load_before'][0]:g}"
        )
        places.setdefault(place, []).append(result["benchmark"])
    if len(places) == 1:
        return [f"Measured on {place}." for place in places]
    return [f"- {', '.join(names)}: measured on {place}." for place, names in places.items()]


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else ""
