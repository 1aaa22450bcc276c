"""What a run came to, and whether all that it left behind agrees."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import poptune as tune
from poptune._core.events import Planned
from poptune._core.scheduler import Load
from poptune._keeping.journal import SqliteJournal, UnopenedObjects
from poptune.results.recording import Recording
from torture.climbing import START, Climb, advance, saved


@dataclass(frozen=True)
class Outcome:
    """Everything of a run that names neither it nor a time."""

    decisions: list[Any]
    configs: list[Any]
    checkpoints: list[Any]
    results: list[Any]
    lineages: list[Any]

    @classmethod
    def of(cls, path: Path) -> Outcome:
        """Read it."""
        recording = Recording.open(path)
        trials = recording.population.trials
        grid = tune.ResultGrid.from_path(path)
        return cls(
            decisions=[plain(decision, trials) for decision in _decisions(path)],
            configs=[trial.config for trial in trials],
            checkpoints=[repr(result.checkpoint.to_dict()) for result in grid],
            results=[[row(one.metrics) for one in recording.valid_results(trial)] for trial in trials],
            lineages=[[row(one.metrics) for one in result.lineage.results()] for result in grid],
        )

    def differences(self, other: Outcome) -> list[str]:
        """Say where another one differs."""
        return [
            f"{field.name} differ: {mine} and {theirs}"
            for field in fields(self)
            for mine, theirs in [_first_difference(getattr(self, field.name), getattr(other, field.name))]
            if mine != theirs
        ]


def _first_difference(mine: list[Any], theirs: list[Any]) -> tuple[Any, Any]:
    if len(mine) != len(theirs):
        return f"{len(mine)} of them", f"{len(theirs)} of them"
    return next(((one, other) for one, other in zip(mine, theirs, strict=True) if one != other), (None, None))


def _decisions(path: Path) -> list[Any]:
    with closing(SqliteJournal.open(path / "experiment.db", UnopenedObjects(), read_only=True)) as journal:
        plans = [event.plan for event in journal.read() if isinstance(event, Planned)]
    return [decision for plan in plans for decision in plan.decisions]


def plain(decision: Any, trials: Any) -> str:
    """Return a decision without what names the run or tells the time."""
    loaded = decision.source.checkpoint if isinstance(decision.source, Load) else None
    what = (
        decision.trial,
        decision.next,
        loaded and (loaded.id, loaded.path, loaded.iteration, loaded.age, loaded.score),
        decision.config,
        decision.reason,
        sorted(decision.seen.items()),
        decision.donor,
        decision.iteration,
        decision.donor_config,
        sorted(decision.facts.items()),
    )
    run, underscore, _ = trials[0].id.partition("_")
    return repr(what).replace(run + underscore, "run_")  # five digits alone could be some of a number


def row(metrics: Any) -> tuple[Any, ...]:
    """Return a result without the times in it."""
    return int(metrics["training_iteration"]), int(metrics["step"]), metrics["height"], metrics["chain"]


def problems(path: Path, climb: Climb) -> list[str]:
    """Say what does not agree in a run that is over; an empty list says that all does."""
    recording = Recording.open(path)
    found = [] if recording.population.completed else ["the run is not complete"]
    for result, trial in zip(tune.ResultGrid.from_path(path), recording.population.trials, strict=True):
        wrong = _problems_of_trial(path, climb, recording, result, trial)
        found += [f"trial {trial.index}: {problem}" for problem in wrong]
    found += [f"left behind: {path}" for path in path.glob("**/.*") if "manifest" not in path.name]
    loads = sum(isinstance(decision.source, Load) for decision in _decisions(path))
    if len((path / "pbt_global.txt").read_text().splitlines()) != loads:
        found.append(f"pbt_global.txt has other than {loads} lines")
    return found


def _problems_of_trial(path: Path, climb: Climb, recording: Recording, result: Any, trial: Any) -> list[str]:
    found = []
    if result.status != "TERMINATED" or trial.iteration != climb.iterations:
        found.append(f"is {result.status} at iteration {trial.iteration}: {trial.error}")
    rows = [row(one.metrics) for one in recording.valid_results(trial)]
    for name, others in _projections(path / trial.spec.folder).items():
        if others != rows:
            found.append(f"{name} has {[one[0] for one in others]}, the journal {[one[0] for one in rows]}")
    frame = result.metrics_dataframe
    if list(frame["chain"]) != [one[3] for one in rows]:
        found.append("the results' frame differs from the journal")
    state, expected = START, []
    for segment in result.lineage.segments:
        for _ in range(segment.after, segment.until):
            state = advance(state, segment.config)
            expected.append((state["step"], *state.values()))
    if [row(one.metrics) for one in result.lineage.results()] != expected:
        found.append("the results along the lineage are not those of its configs")
    is_last_saved = climb.iterations % climb.save_every == 0
    if is_last_saved and repr(result.checkpoint.to_dict()) != repr(saved(state)):
        found.append(f"the last checkpoint holds {result.checkpoint.to_dict()}, not {state}")
    on_disk = sorted(found.name for found in (path / trial.spec.checkpoints_folder).glob("checkpoint_*"))
    if on_disk != sorted(Path(ref.path).name for ref in trial.saved):
        found.append(f"has {on_disk} on the disk, and {trial.saved} in the journal")
    return found


def _projections(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    lines = [json.loads(line) for line in (folder / "result.json").read_text().splitlines()]
    with (folder / "progress.csv").open(newline="") as file:
        table = [{**line, "height": float(line["height"])} for line in csv.DictReader(file)]
    return {"result.json": [row(line) for line in lines], "progress.csv": [row(line) for line in table]}


def records(path: Path) -> list[Any]:
    """Return the journal's records as they lie there; none if there is no journal."""
    if not (path / "experiment.db").exists():
        return []
    with closing(sqlite3.connect(f"file:{path / 'experiment.db'}?mode=ro", uri=True)) as connection:
        return connection.execute("SELECT kind, trial, payload FROM records ORDER BY number").fetchall()
