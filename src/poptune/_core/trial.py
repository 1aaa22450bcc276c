"""One trial: as schedulers and observers see it, and as the population keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from poptune._base.course import Course
from poptune._base.types import Config, Metrics, TrialId, TrialStatus
from poptune._core.events import Ending
from poptune._core.scheduler import CheckpointRef, Run
from poptune._core.trial_spec import TrialSpec


class SeenTrial(Protocol):
    """What schedulers and those who watch see of one trial alike."""

    @property
    def id(self) -> TrialId: ...
    @property
    def index(self) -> int: ...
    @property
    def status(self) -> TrialStatus: ...
    @property
    def iteration(self) -> int: ...
    @property
    def age(self) -> float:
        """Value of the time attribute along the lineage of the present state."""
        ...

    @property
    def score(self) -> float | None:
        """The metric of the present state, larger is better; ``None`` before the first result."""
        ...

    @property
    def last_score(self) -> float | None:
        """The metric of the last result, larger is better: a copy keeps its own until it reports."""
        ...

    @property
    def last_scores(self) -> tuple[float | None, ...]:
        """The same of each metric that is optimised, the first one's first."""
        ...

    @property
    def checkpoint(self) -> CheckpointRef | None:
        """The newest checkpoint on the lineage of the present state."""
        ...

    @property
    def saved(self) -> Sequence[CheckpointRef]:
        """Its own checkpoints that are kept, oldest first."""
        ...

    @property
    def exploits(self) -> int:
        """How often the trial has copied another."""
        ...

    @property
    def course(self) -> Course | None:
        """How its config moves; the config has the values of now."""
        ...

    @property
    def resting(self) -> bool:
        """Whether it trains no further until a plan names it."""
        ...


class TrialView(SeenTrial, Protocol):
    """One trial as schedulers see it; what watches sees it as in `core.views`."""

    @property
    def config(self) -> Config: ...

    @property
    def run(self) -> Run:
        """How far it trains until its next milestone."""
        ...


@dataclass(slots=True, kw_only=True)
class Trial:
    """One member of the population. Only :class:`Population` changes it."""

    spec: TrialSpec
    config: Config
    course: Course | None = None
    """How the config moves, if it does; the config has the values at the trial's age."""
    status: TrialStatus = TrialStatus.PENDING
    run: Run = field(default_factory=Run)
    iteration: int = 0
    age: float = 0.0
    time_total_s: float = 0.0
    score: float | None = None
    last_score: float | None = None
    further_scores: tuple[float | None, ...] = ()
    """The last scores by the metrics beside the first, if there are any."""
    metrics: Metrics = field(default_factory=dict)
    checkpoint: CheckpointRef | None = None
    saved: list[CheckpointRef] = field(default_factory=list)
    """Its own checkpoints that still exist, oldest first."""
    saves: int = 0
    reports: int = 0
    strayed: bool = False
    """Whether the checkpoint of its present state is gone, so that an older one stands in its place."""
    reports_at_load: int = 0
    """How many results it had reported when it last took over, or went back to, a checkpoint."""
    decisions: int = 0
    failures: int = 0
    forgiven: int = 0
    """How many of its failures count no longer, because it was reborn since."""
    exploits: int = 0
    generation: int = 0
    incarnation: int = 0
    arrived: bool = False
    """Whether it has reached its milestone and awaits the decision."""
    resting: bool = False
    """Whether it trains no further until a later plan names it."""
    donor: TrialId | None = None
    donor_config: Config | None = None
    """What the state was trained with that it has loaded for another config, and not reported from yet."""
    superseded: list[tuple[int, int]] = field(default_factory=list)
    """Ranges (first, last) of reports that a restart made void."""
    error: str = ""
    reason: str = ""
    ending: Ending = ""

    @property
    def id(self) -> TrialId:
        return self.spec.id

    @property
    def index(self) -> int:
        return self.spec.index

    @property
    def last_scores(self) -> tuple[float | None, ...]:
        return (self.last_score, *self.further_scores)

    @property
    def is_saved(self) -> bool:
        """Whether going back to its checkpoint would lose nothing."""
        return self.reports_kept == self.reports and not self.strayed

    @property
    def reports_kept(self) -> int:
        """How many of its reports stay valid when it goes back to its checkpoint."""
        own = self.checkpoint is not None and self.checkpoint.trial == self.id
        return max(self.reports_at_load, self.checkpoint.report if own and self.checkpoint else 0)
