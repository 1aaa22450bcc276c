"""``pbt_global.txt`` and ``pbt_policy_<trial id>.txt``: every perturbation, as one JSON list a line.

Target tag, donor tag, target iteration, donor iteration, the donor's config before explore, the new config;
and where one of these moves (a course) a dict with ``course``, ``donor_course`` and ``time_attr``.
A value that is no JSON is ``{"$object": "<its text>"}``. A trial's policy file holds the lines along the
lineage of its present state: at an exploit it becomes a copy of the donor's, then gains the line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import structs

from poptune.core.events import Created, Event, Planned
from poptune.core.scheduler import Decision, Load
from poptune.core.views import WatchedPopulation
from poptune.course import Curve
from poptune.layout import Layout
from poptune.loggers.files import append_text, as_json, replace_text
from poptune.types import TrialId


class PerturbationLogger:
    """Writes the perturbation logs."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def observe(self, events: Sequence[Event], population: WatchedPopulation) -> None:
        """Add the lines of plans that were journaled just now."""
        if any(isinstance(event, Created) for event in events):
            self._layout.perturbations.touch()
        for event in events:
            if isinstance(event, Planned):
                self._write(event.plan.decisions, population)

    def rebuild(self, events: Iterable[Event], population: WatchedPopulation) -> None:
        """Write all the logs anew from the journal's events."""
        replace_text(self._layout.perturbations, "")
        for trial in population.trials:
            self._layout.policy(trial.id).unlink(missing_ok=True)
        for event in events:
            if isinstance(event, Planned):
                self._write(event.plan.decisions, population)

    def _write(self, decisions: Sequence[Decision], population: WatchedPopulation) -> None:
        before: dict[TrialId, str] = {}
        perturbed = [decision for decision in decisions if isinstance(decision.source, Load)]
        for decision in perturbed:
            donor = decision.donor or decision.trial
            before[donor] = self._policy(donor)
        for decision in perturbed:
            line = perturbation_line(decision, population) + "\n"
            append_text(self._layout.perturbations, line)
            donor = decision.donor or decision.trial
            replace_text(self._layout.policy(decision.trial), before[donor] + line)

    def _policy(self, trial: TrialId) -> str:
        path = self._layout.policy(trial)
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
