"""Who continued from whom: the tree of all states of a population, folded from the journal.

Each trial's training falls into stretches. A new one begins wherever the trial's state or config was set:
at a load, at a restart, at a change of config. A stretch grows out of a place in an earlier one, of its own
trial or of another, so the way from a state back to the start is a walk along parents. What a restart made
void is no special case: it is a twig on which nobody's way lies.
"""

from __future__ import annotations

import bisect
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from poptune._base.course import Course, present
from poptune._base.equality import same
from poptune._base.nested import number_at
from poptune._base.types import CheckpointId, Config, TrialId
from poptune._core.events import Event, Planned, Reported, Restarted
from poptune._core.population import Population, Trial
from poptune._core.scheduler import CheckpointRef, Decision, Fresh, Load


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of training of one trial, with one config."""

    trial: TrialId
    tag: str
    after: int
    """The iteration that it began from: its first own one is the next."""
    until: int
    """Its last iteration."""
    config: Config
    donor: TrialId | None = None
    """The trial that was copied where this segment begins."""
    generation: int = 0
    """How many copies lie between the start and its state."""
    checkpoint: CheckpointId | None = None
    """The checkpoint that was loaded where this segment begins; a donor's newest may be a third trial's."""
    reports: tuple[tuple[int, int], ...] = ()
    """Which of the trial's reports, counted from 1, are its iterations: ranges (first exclusive, last)."""

    @property
    def index(self) -> int:
        """The trial's number."""
        return int(self.tag.partition("_")[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploit:
    """One trial copied another."""

    recipient: TrialId
    donor: TrialId
    recipient_iteration: int
    """Where the recipient stood, and gave up."""
    donor_iteration: int
    """Where the recipient went on."""
    checkpoint: CheckpointId
    config: Config
    """The recipient's new config."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Stretch:
    trial: Trial
    config: Config
    after: int
    until: int
    reports_before: int
    parent: _Stretch | None = None
    parent_report: int = 0
    """The last report of the parent's trial that lies on the way here."""
    loaded: CheckpointId | None = None
    donor: TrialId | None = None
    generation: int = 0
    kept: int | None = None
    """At a restart: how many of the trial's reports stayed valid."""

    def segment(self, *, report: int, until: int) -> Segment:
        """Return this stretch up to one of its reports."""
        return Segment(
            trial=self.trial.id,
            tag=self.trial.spec.tag,
            after=self.after,
            until=until,
            config=self.config,
            donor=self.donor,
            generation=self.generation,
            checkpoint=self.loaded,
            reports=((self.reports_before, report),),
        )


class History:
    """The fold. Is shown each record before the population takes it over."""

    def __init__(self) -> None:
        self.exploits: list[Exploit] = []
        """In the order of the journal."""
        self._stretches: dict[TrialId, list[_Stretch]] = defaultdict(list)
        self._loads: dict[TrialId, Decision] = {}

    def apply(self, event: Event, population: Population) -> None:
        """Fold one record; ``population`` is as it was before it."""
        match event:
            case Reported():
                trial = population[event.trial]
                self._present(trial).until = event.iteration
                if trial.course is not None:
                    self._follow(trial, trial.course, event, population)
            case Planned(plan=plan):
                for decision in plan.decisions:
                    self._decide(population[decision.trial], decision, population)
            case Restarted():
                self._restart(population[event.trial])
            case _:
                pass

    def ancestry(self, trial: Trial) -> tuple[Segment, ...]:
        """Return the segments that led to a trial's present state, the oldest first."""
        stretch: _Stretch | None = self._present(trial)
        report, until = trial.reports, trial.iteration
        way: list[Segment] = []
        while stretch is not None:
            way.append(stretch.segment(report=report, until=until))
            report, until, stretch = stretch.parent_report, stretch.after, stretch.parent
        return _joined(reversed(way))

    def segments(self, trial: Trial) -> tuple[Segment, ...]:
        """Return all that a trial has trained itself, in order, without what a restart made void."""
        way: list[Segment] = []
        self._present(trial)
        stretches = self._stretches[trial.id]
        ends = [*(later.reports_before for later in stretches[1:]), trial.reports]
        for stretch, end in zip(stretches, ends, strict=True):
            if stretch.kept is not None:
                way = [cut for old in way if (cut := _cut(old, stretch.kept, stretch.after))]
            way.append(stretch.segment(report=end, until=stretch.until))
        return _joined(way)

    def _present(self, trial: Trial) -> _Stretch:
        stretches = self._stretches[trial.id]
        if not stretches:
            stretches.append(_Stretch(trial=trial, config=trial.config, after=0, until=0, reports_before=0))
        return stretches[-1]

    def _decide(self, trial: Trial, decision: Decision, population: Population) -> None:
        config = _config_after(trial, decision)
        if isinstance(decision.source, Load):
            self._loads[trial.id] = decision
            checkpoint = decision.source.checkpoint
            self._note_exploit(trial, decision, checkpoint, config)
            stretch = self._go_to(trial, checkpoint, config, load=decision)
            if decision.donor is not None:
                stretch.generation = population[decision.donor].generation + 1
        elif isinstance(decision.source, Fresh):
            self._loads.pop(trial.id, None)
            self._begin(trial, config, after=0).generation = 0
        elif not same(config, trial.config):
            present = self._present(trial)
            self._begin(trial, config, after=trial.iteration, parent=present, report=trial.reports)

    def _follow(self, trial: Trial, course: Course, reported: Reported, population: Population) -> None:
        """Begin a stretch with what the config is from this result on, where that moves."""
        assert population.created is not None
        age = number_at(reported.metrics, population.created.time_attr)
        config = present(trial.config, course, trial.age if age is None or not math.isfinite(age) else age)
        if not same(config, trial.config):
            stretch, report = self._present(trial), trial.reports + 1
            following = self._begin(trial, config, after=reported.iteration, parent=stretch, report=report)
            following.reports_before = report

    def _note_exploit(
        self, trial: Trial, decision: Decision, checkpoint: CheckpointRef, config: Config
    ) -> None:
        if decision.donor is not None:
            self.exploits.append(
                Exploit(
                    recipient=trial.id,
                    donor=decision.donor,
                    recipient_iteration=trial.iteration,
                    donor_iteration=checkpoint.iteration,
                    checkpoint=checkpoint.id,
                    config=config,
                )
            )

    def _restart(self, trial: Trial) -> None:
        if trial.is_saved:
            return
        checkpoint, kept = trial.checkpoint, trial.reports_kept
        config = present(trial.config, trial.course, checkpoint.age if checkpoint else 0.0)
        if checkpoint is None:
            stretch = self._begin(trial, config, after=0)
        else:
            load = self._loads.get(trial.id)
            back_to_load = load is not None and _loaded(load) == checkpoint.id
            stretch = self._go_to(trial, checkpoint, config, load=load if back_to_load else None)
        stretch.kept = kept

    def _go_to(
        self, trial: Trial, checkpoint: CheckpointRef, config: Config, *, load: Decision | None
    ) -> _Stretch:
        stretches = self._stretches[checkpoint.trial]
        place = bisect.bisect_left(stretches, checkpoint.report, key=lambda one: one.reports_before)
        parent = stretches[place - 1]
        stretch = self._begin(
            trial, config, after=checkpoint.iteration, parent=parent, report=checkpoint.report
        )
        if load is not None:
            stretch.loaded, stretch.donor = checkpoint.id, load.donor
        return stretch

    def _begin(
        self,
        trial: Trial,
        config: Config,
        *,
        after: int,
        parent: _Stretch | None = None,
        report: int = 0,
    ) -> _Stretch:
        self._present(trial)
        stretch = _Stretch(
            trial=trial,
            config=config,
            after=after,
            until=after,
            reports_before=trial.reports,
            parent=parent,
            parent_report=report,
            generation=trial.generation,
        )
        self._stretches[trial.id].append(stretch)
        return stretch


def _config_after(trial: Trial, decision: Decision) -> Config:
    """What a trial trains with after a decision: what moves has its value where it goes on."""
    match decision.source:
        case Load(checkpoint=checkpoint):
            age = checkpoint.age
        case Fresh():
            age = 0.0
        case _:
            age = trial.age
    if decision.config is not None:
        return present(decision.config, decision.course, age)
    return present(trial.config, decision.course or trial.course, age)


def _loaded(decision: Decision) -> CheckpointId:
    assert isinstance(decision.source, Load)
    return decision.source.checkpoint.id


def _cut(segment: Segment, kept: int, iteration: int) -> Segment | None:
    """Return what is left of a segment whose later reports became void at a restart to an iteration."""
    reports = tuple((first, min(last, kept)) for first, last in segment.reports if first < kept)
    if reports == segment.reports:
        return segment
    return replace(segment, reports=reports, until=iteration) if reports else None


def _joined(way: Iterable[Segment]) -> tuple[Segment, ...]:
    """Leave out empty segments, but for the last, and join those that differ in nothing that happened."""
    joined: list[Segment] = []
    for segment in _without_empty(list(way)):
        before = joined[-1] if joined else None
        if before is not None and _continues(before, segment):
            joined[-1] = replace(before, until=segment.until, reports=before.reports + segment.reports)
        else:
            joined.append(segment)
    return tuple(joined)


def _without_empty(way: Sequence[Segment]) -> list[Segment]:
    return [segment for segment in way[:-1] if segment.until > segment.after] + list(way[-1:])


def _continues(before: Segment, segment: Segment) -> bool:
    return (
        segment.checkpoint is None
        and segment.trial == before.trial
        and segment.after == before.until
        and same(segment.config, before.config)
    )
