"""What may happen to an experiment, and an experiment to which it happens."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal

import hypothesis.strategies as st
import numpy as np
from msgspec.structs import replace

from poptune._base.types import Config, TrialId
from poptune._core.events import Event, Input, Planned, ResidentsLimited, Resumed
from poptune._core.experiment import Experiment
from poptune._core.population import Population
from poptune._core.retention import Retention
from poptune._core.retries import Retries
from poptune._core.revival import to_revive
from poptune._core.scheduler import Plan, Scheduler
from poptune._core.settings import Settings
from poptune._keeping.journal import ObjectTable
from poptune._keeping.journal.records import decode, encode
from poptune.testing.schedulers.maker import METRIC
from poptune.testing.simulation import SimulatedWorkers, created

Kind = Literal["report", "stop", "return", "failure", "damage", "resume", "revival", "memory"]
_TOLD = ("training_iteration", "time_total_s")

SCORES: tuple[Any, ...] = (math.nan, math.inf, -math.inf, None, 0.0, 1.0, -3, 7)
"""What a metric may be beside a number like any other; ``None`` is a result without it."""
ODD_SCORES: tuple[Any, ...] = (
    *SCORES,
    *(True, "0.5", "nan", "", [1.0, 2.0], {"mean": 1.0}, 2**70, 1e308, 1.7e308, -1e308, 5e-324),
    *(np.float32(0.5), np.int64(3), np.array(2.0), np.ones(2), np.float64("nan")),
)
"""What training code may report in its place, as the journal keeps it."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happens.

    Args:
        kind: What: most often a trial reports. A *revival* is a run that is continued after its end, and
            *memory* runs low.
        who: To which of those to whom it can happen, counted around.
        score: What is reported.
        save: Whether a checkpoint is saved with it.
    """

    kind: Kind = "report"
    who: int = 0
    score: Any = 0.0
    save: bool = True


_SELDOM: list[Kind] = ["stop", "return", "failure", "damage", "resume", "revival", "memory"]
LENGTHS = st.integers(8, 40)
SHORT = st.integers(8, 20)


def stories(
    scores: Sequence[Any] = SCORES, *, saves: bool | None = None, lengths: st.SearchStrategy[int] = LENGTHS
) -> st.SearchStrategy[list[Happening]]:
    """Return a strategy for what happens, one thing after the other.

    Args:
        scores: What is reported now and then, beside other numbers.
        saves: Whether checkpoints are saved; by default most often.
        lengths: How much happens.
    """
    return st.builds(
        lambda seed, length: tale(seed, length, scores=scores, saves=saves),
        seed=st.integers(0, 2**32),
        length=lengths,
    )


def tale(
    seed: int, length: int, *, scores: Sequence[Any] = SCORES, saves: bool | None = None
) -> list[Happening]:
    """Return what happens; of one seed, since many things would take long to be made fewer and simpler."""
    chance = random.Random(seed)
    return [
        Happening(
            kind="report" if chance.random() < 0.9 else chance.choice(_SELDOM),
            who=chance.randrange(8),
            score=chance.choice(scores) if chance.random() < 0.4 else chance.uniform(-10, 10),
            save=chance.random() < 0.8 if saves is None else saves,
        )
        for _ in range(length)
    ]


def told(thing: object) -> str:
    """Return a thing as text, in which NaN equals itself and True is not 1."""
    return repr(thing)


def difference(these: Iterable[object], those: Iterable[object]) -> str:
    """Return the first that differ of two lists, as text; nothing if none do."""
    pairs = zip_longest(map(told, these), map(told, those), fillvalue="nothing")
    return next((f"{one} is not {other}" for one, other in pairs if one != other), "")


class Story:
    """An experiment to which things happen; after each, what must always hold is looked at.

    Args:
        scheduler: Who decides.
        configs: With what the trials begin.
        slots: How many train at once; by default all.
        seed: The experiment's.
        keep: How many checkpoints of each trial retention keeps.
    """

    def __init__(
        self,
        scheduler: Scheduler[Any],
        configs: Sequence[Config],
        *,
        slots: int | None = None,
        seed: int = 0,
        keep: int | None = 1,
    ) -> None:
        self.scheduler = scheduler
        self.events: list[Event] = []
        """The journal so far, as it is read again."""
        needs = scheduler.needs
        self._time_attr = needs.time_attr
        self._settings = Settings(
            slots=slots or len(configs),
            max_residents=(slots or len(configs)) + 1,
            retries=Retries(per_trial=1, rebirth=needs.rebirths),
            retention=Retention(num_to_keep=keep),
        )
        self._objects = ObjectTable()
        self.workers = SimulatedWorkers(self._time_attr, METRIC)
        self.experiment = Experiment(scheduler, self._settings)
        self.handle(created(configs, metric=METRIC, time_attr=self._time_attr, seed=seed))

    @property
    def population(self) -> Population:
        return self.experiment.population

    @property
    def plans(self) -> list[Plan]:
        """All that was decided."""
        return [event.plan for event in self.events if isinstance(event, Planned)]

    def folded(self, events: Iterable[Event] | None = None) -> Experiment:
        """Return another machine that has folded the journal, or other events."""
        other = Experiment(self.scheduler, self._settings)
        for event in self.events if events is None else events:
            other.fold(event)
        return other

    def kept(self, events: Sequence[Event]) -> list[Event]:
        """Return events as a journal gives them back."""
        records = encode(events, self._objects)
        return [event for record in records for event in decode(record, self._objects)]

    def handle(self, event: Input) -> list[Event]:
        """Put one event to the machine; return what was journaled with it."""
        step = self.experiment.handle(event)
        told_again = self.kept(step.events)
        self.events += told_again
        self.workers.carry_out(step.commands)
        while self.workers.stuck:
            told_again += self.handle(self.workers.stumble(min(self.workers.stuck)))
        live = any(trial.status.is_live for trial in self.population.trials)
        assert not live or self.workers.training, "no trial trains, though some have not ended"
        return told_again

    def unfold(self, happenings: Iterable[Happening], then: Callable[[], None] = lambda: None) -> None:
        """Let things happen, and look at something after each."""
        then()
        for happening in happenings:
            if (event := self.event(happening)) is not None:
                self.handle(event)
                then()

    def event(self, happening: Happening) -> Input | None:
        """Return what the machine is told of a happening; ``None`` if it can happen to nobody."""
        match happening.kind:
            case "report" | "stop" if self.workers.training:
                trial = _one_of(self.workers.training, happening)
                return self.report(trial, happening, stop="enough" if happening.kind == "stop" else "")
            case "return" if self.workers.training:
                return self.workers.end(_one_of(self.workers.training, happening))
            case "failure" if self.workers.trials:
                trial = _one_of(sorted(self.workers.trials), happening)
                incarnation = self.population[trial].incarnation
                return replace(self.workers.fail(trial), incarnation=incarnation)
            case "damage":
                paths = sorted(ref.path for trial in self.population.trials for ref in trial.saved)
                self.workers.damaged.update(paths[happening.who : happening.who + 1])
            case "resume" if not self.experiment.finished:
                return self._begin_another_session(())
            case "revival":
                revived = to_revive(self.population, failed=True, has_ended=lambda _trial: False)
                return self._begin_another_session(revived) if revived else None
            case "memory":
                return ResidentsLimited(time_s=0.0, limit=1)
            case _:
                pass
        return None

    def report(self, trial: TrialId, happening: Happening, *, stop: str = "") -> Input:
        """Return a trial's next result, whatever its metric is."""
        extra = {} if happening.score is None else {METRIC: happening.score}
        if self._time_attr not in _TOLD:
            extra[self._time_attr] = self.workers.trials[trial].iteration + 1
        return self.workers.report(trial, None, save=happening.save, stop=stop, extra=extra)

    def _begin_another_session(self, revived: tuple[TrialId, ...]) -> Input:
        self.workers.vanish()
        self.experiment = self.folded()
        return Resumed(time_s=0.0, revived=revived)


def _one_of(trials: Sequence[TrialId], happening: Happening) -> TrialId:
    return trials[happening.who % len(trials)]
