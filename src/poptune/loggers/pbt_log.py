"""``pbt_global.txt`` and ``pbt_policy_<trial id>.txt``: every perturbation, as one JSON list a line.

Target tag, donor tag, target iteration, donor iteration, the donor's config before explore, the new config;
and where one of these moves (a course) a dict with ``course``, ``donor_course`` and ``time_attr``.
A value that is no JSON is ``{"$object": "<its text>"}``. A trial's policy file holds the lines along the
lineage of its present state: at an exploit it becomes a copy of the donor's, then gains the line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import structs

from poptune._base.course import Curve
from poptune._base.types import TrialId
from poptune._core.events import Created, Event, Planned, Resumed
from poptune._core.scheduler import Decision, Load
from poptune._core.views import WatchedPopulation
from poptune.loggers.files import append_text, as_json, replace_text
from poptune.loggers.logger import Logger, WatchedRun


class PerturbationLogger(Logger):
    """Writes the perturbation logs."""

    def observe(self, events: Sequence[Event], run: WatchedRun) -> None:
        """Add the lines of plans that were journaled just now; after a resume, write all the logs anew."""
        if any(isinstance(event, Created) for event in events):
            run.layout.perturbations.touch()
        resumed = any(isinstance(event, Resumed) for event in events)
        if resumed:
            _clear(run)
        for event in run.journal() if resumed else events:
            if isinstance(event, Planned):
                _write(event.plan.decisions, run)


def _clear(run: WatchedRun) -> None:
    replace_text(run.layout.perturbations, "")
    for trial in run.trials:
        run.layout.policy(trial.id).unlink(missing_ok=True)


def _write(decisions: Sequence[Decision], run: WatchedRun) -> None:
    before: dict[TrialId, str] = {}
    perturbed = [decision for decision in decisions if isinstance(decision.source, Load)]
    for decision in perturbed:
        donor = decision.donor or decision.trial
        before[donor] = _policy(donor, run)
    for decision in perturbed:
        line = perturbation_line(decision, run.population) + "\n"
        append_text(run.layout.perturbations, line)
        donor = decision.donor or decision.trial
        replace_text(run.layout.policy(decision.trial), before[donor] + line)


def _policy(trial: TrialId, run: WatchedRun) -> str:
    path = run.layout.policy(trial)
    return path.read_text(encoding="utf-8") if path.exists() else ""


def perturbation_line(decision: Decision, population: WatchedPopulation) -> str:
    """Return the log's line of a decision that loads a checkpoint."""
    assert isinstance(decision.source, Load)
    return json.dumps(
        [
            population[decision.trial].spec.tag,
            population[decision.donor or decision.trial].spec.tag,
            decision.iteration,
            decision.source.checkpoint.iteration,
            decision.donor_config or decision.config,
            decision.config,
            *_moving(decision, population),
        ],
        default=_as_json,
    )


def _moving(decision: Decision, population: WatchedPopulation) -> Iterator[dict[str, Any]]:
    """How the two configs move, if one of them does."""
    if decision.course or decision.donor_course:
        assert population.created is not None
        courses = {"course": decision.course, "donor_course": decision.donor_course}
        yield {**courses, "time_attr": population.created.time_attr}


def _as_json(value: Any) -> Any:
    """Return numbers of numpy as numbers; any other value named, so that no replay takes it for its text."""
    if isinstance(value, Curve):
        return structs.asdict(value)
    is_number = type(value).__module__ == "numpy" and getattr(value, "shape", None) == ()
    return as_json(value) if is_number else {"$object": repr(value)}
