"""What happened, in lines: exploits, failures, the beginning and the end."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Literal

from poptune._base.types import TrialId, TrialStatus
from poptune._core.events import Created, Event, Failed, Planned, PopulationStopped, Resumed, Spawned
from poptune._core.mistakes import alike, kind_of, last_line, place_of, told
from poptune._core.scheduler import Decision, Load, Plan
from poptune._core.views import WatchedPopulation, WatchedTrial
from poptune._watching.progress.facts import RunFacts
from poptune._watching.progress.values import cut, duration, flat, labels
from poptune._watching.progress.view import best_trial, metric_text, standing

_LONGEST_ERROR = 300
_MOST_CAUSES = 5


@dataclass(frozen=True, slots=True)
class News:
    """One line, and what it is about."""

    kind: Literal["experiment", "exploit", "failure"]
    text: str


def news_of(
    events: Sequence[Event], population: WatchedPopulation, facts: RunFacts, known: set[tuple[str, str]]
) -> Iterator[News]:
    """Give a line for each event that is worth one.

    Args:
        events: What has happened.
        population: As it is after that.
        facts: What is known of the run.
        known: The causes of failures that were told already, to which those of today are added.
    """
    born: set[TrialId] = set()
    for event in events:
        match event:
            case Created() | Resumed():
                yield News("experiment", _beginning(event, population, facts))
            case Spawned(trials=trials):
                born.update(trial.id for trial in trials)
            case Planned(plan=plan):
                yield from _news_of_plan(plan, born, population, facts)
                born.clear()
            case Failed(trial=trial, error=error, damaged=""):
                cause = (place_of(error), kind_of(error))
                if cause not in known or population[trial].status is not TrialStatus.ERROR:
                    yield News("failure", _failure(population[trial], error))
                known.add(cause)
            case PopulationStopped(reason=reason):
                yield News("experiment", f"{facts.name} ends: {reason}")
            case _:
                pass


def _news_of_plan(
    plan: Plan, born: AbstractSet[TrialId], population: WatchedPopulation, facts: RunFacts
) -> Iterator[News]:
    for decision in plan.decisions:
        if decision.trial in born:
            yield News("exploit", _birth(decision, population, facts))
        elif isinstance(decision.source, Load):
            yield News("exploit", _exploit(decision, population, facts))


def last_words(
    trials: Sequence[WatchedTrial], facts: RunFacts, *, elapsed_s: float, completed: bool
) -> Iterator[News]:
    """Give the lines that remain when all is over."""
    failed = sum(trial.status is TrialStatus.ERROR for trial in trials)
    yield News(
        "experiment",
        f"{facts.name}: {_count(len(trials), 'trial')}, "
        f"{_count(sum(trial.exploits for trial in trials), 'exploit')}, "
        f"{_count(failed, 'error')}, {duration(elapsed_s)}. Results: {facts.path}",
    )
    if best := best_trial(trials):
        yield News("experiment", f"Best: trial {best.index}, {standing(best, facts)}")
    groups = alike(trials)
    for group in groups[:_MOST_CAUSES]:
        yield News("failure", cut(f"Failed: {told(group)}", _LONGEST_ERROR))
    if failed:
        more = f"{len(groups) - _MOST_CAUSES} more causes, and " * (len(groups) > _MOST_CAUSES)
        yield News("failure", f"The {more}whole errors are in error.txt in the trials' folders.")
    if not completed:
        yield News(
            "experiment",
            "Interrupted. The results so far are kept; continue with: "
            f"poptune resume {shlex.quote(facts.path)}, "
            f'or in Python: tune.Tuner.restore("{facts.path}").fit()',
        )


def _beginning(event: Created | Resumed, population: WatchedPopulation, facts: RunFacts) -> str:
    trials = _count(len(population.trials), "trial")
    slots = _count(facts.slots, "slot")
    if isinstance(event, Created):
        return f"{facts.name}: {trials} on {slots}. Results: {facts.path}"
    live = sum(trial.status.is_live for trial in population.trials)
    return f"{facts.name} continues: {live} of {trials} on {slots}. Results: {facts.path}"


def _exploit(decision: Decision, population: WatchedPopulation, facts: RunFacts) -> str:
    """``it 10  2 ← 0  0.412 → 0.903  lr 0.42 → 0.35``: recipient, donor, their scores, what was changed."""
    trial = population[decision.trial]
    iteration = trial.iteration if decision.iteration is None else decision.iteration
    width = len(str(len(population.trials) - 1))
    who, scores = f"{trial.index:>{width}} explores", ""
    if decision.donor is not None:
        who = f"{trial.index:>{width}} ← {population[decision.donor].index:<{width}}"
        own, donors = (metric_text(decision.seen.get(whose), facts) for whose in ("own", "donor"))
        scores = f"{own or '?'} → {donors or '?'}" if own or donors else ""
    changes = _changes(decision.donor_config or {}, decision.config or {}, facts)
    return "  ".join(part for part in (f"it {iteration:>2}", who, scores, *changes) if part)


def _birth(decision: Decision, population: WatchedPopulation, facts: RunFacts) -> str:
    """``it  5  8 is born of 4  lr 0.42``: where it begins, whose state it begins with, and its values."""
    source = decision.source
    iteration = source.checkpoint.iteration if isinstance(source, Load) else 0
    of = "" if decision.donor is None else f" of {population[decision.donor].index}"
    born = population[decision.trial]
    changes = _changes({}, born.spec.config if decision.config is None else decision.config, facts)
    return "  ".join([f"it {iteration:>2}", f"{born.index} is born{of}", *changes])


def _changes(old: Mapping[str, Any], new: Mapping[str, Any], facts: RunFacts) -> list[str]:
    """What explore made of the donor's config; without that, the new values."""
    before, after = dict(flat(old)), dict(flat(new))
    label = labels(facts.parameters)
    changed = [path for path in after if after[path] != before.get(path)]
    return [
        " ".join([label.get(path, path), *([before[path], "→"] if path in before else []), after[path]])
        for path in changed
        if old or path in label
    ]


def _failure(trial: WatchedTrial, error: str) -> str:
    place = place_of(error)
    last = (f"{place}: " if place else "") + cut(last_line(error) or "no reason is known", _LONGEST_ERROR)
    if trial.status is TrialStatus.ERROR:
        return f"trial {trial.index} failed at iteration {trial.iteration}: {last}"
    return (
        f"trial {trial.index} failed for the {_ordinal(trial.failures)} time and goes on from iteration "
        f"{trial.iteration}: {last}"
    )


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _ordinal(number: int) -> str:
    teens = number % 100 in {11, 12, 13}
    ending = "th" if teens else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
