"""Experiments told event by event, as a run would have journaled them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from poptune._base.layout import Layout
from poptune._base.types import TrialId, TrialStatus
from poptune._core.events import Completed, Created, Event, Failed, Left, Planned, Reported, Restarted
from poptune._core.population import Population, Trial
from poptune._core.scheduler import Decision, Load, Plan, Run
from poptune._core.trial_spec import TrialSpec
from poptune._keeping.checkpoints import Checkpoint, DirectoryStore
from poptune._keeping.journal import ObjectTable, SqliteJournal
from poptune.results import ResultGrid


class Story:
    """Writes a journal. Trials are named by their index; each result has a marker that no other has."""

    def __init__(
        self,
        root: Path,
        configs: list[dict[str, Any]],
        *,
        metric: str | None = "score",
        mode: Any = "max",
        files: bool = False,
    ) -> None:
        self.root = root
        self.population = Population()
        self.markers = 0
        self._store = DirectoryStore(root) if files else None
        specs = tuple(
            TrialSpec(
                id=TrialId(f"abc_{index:05d}"),
                index=index,
                name=f"train_abc_{index:05d}",
                tag=f"{index}_lr",
                folder=f"train_{index}",
                config=config,
            )
            for index, config in enumerate(configs)
        )
        created = Created(
            time_s=0.0,
            name="story",
            trainable="train",
            seed=0,
            metric=metric,
            mode=mode,
            time_attr="training_iteration",
            trials=specs,
        )
        self.journal = SqliteJournal.create(Layout(root).journal, [created], ObjectTable())
        self.told: list[Event] = [created]
        self.population.apply(created)

    def trial(self, index: int) -> Trial:
        return self.population.trials[index]

    def tell(self, *events: Event) -> None:
        self.journal.append(events)
        self.told += events
        for event in events:
            self.population.apply(event)

    def report(self, index: int, score: float | None = None, *, save: bool = False, **metrics: Any) -> int:
        """Report a result; return its marker."""
        trial = self.trial(index)
        self.markers += 1
        iteration = trial.iteration + 1
        values = {"marker": self.markers, "training_iteration": iteration, **metrics}
        if score is not None:
            values["score"] = score
        number = trial.saves + 1 if save else None
        if self._store is not None and number is not None:
            state = Checkpoint.from_dict({"marker": self.markers})
            self._store.save(state, folder=trial.spec.folder, number=number)
        self.tell(
            Reported(
                time_s=float(self.markers),
                trial=trial.id,
                incarnation=trial.incarnation,
                iteration=iteration,
                metrics=values,
                checkpoint=number,
            )
        )
        return self.markers

    def exploit(self, index: int, donor: int, config: dict[str, Any] | None = None) -> None:
        """Load a donor's newest checkpoint; one's own if the donor is oneself."""
        checkpoint = self.trial(donor).checkpoint
        assert checkpoint is not None
        self._decide(
            index,
            source=Load(checkpoint),
            config=config if config is not None else self.trial(donor).config,
            donor=None if donor == index else self.trial(donor).id,
        )

    def change(self, index: int, config: Mapping[str, Any]) -> None:
        """Keep the state and change the config."""
        self._decide(index, config=config)

    def _decide(self, index: int, **fields: Any) -> None:
        decision = Decision(trial=self.trial(index).id, next=Run(), **fields)
        self.tell(Planned(plan=Plan(decisions=(decision,))))

    def crash(self, index: int) -> None:
        """Fail and go back to the checkpoint."""
        trial = self.trial(index)
        self.tell(
            Failed(time_s=0.0, trial=trial.id, incarnation=trial.incarnation, error="Boom"),
            Restarted(trial=trial.id, cause="failure"),
        )

    def end(self, index: int, error: str = "") -> None:
        trial = self.trial(index)
        status = TrialStatus.ERROR if error else TrialStatus.TERMINATED
        if error:
            self.tell(Failed(time_s=0.0, trial=trial.id, incarnation=trial.incarnation, error=error))
        self.tell(Left(trial=trial.id, status=status, reason="told so"))

    def complete(self) -> None:
        self.tell(Completed(time_s=99.0))

    @property
    def results(self) -> ResultGrid:
        return ResultGrid.from_path(self.root)


@pytest.fixture(scope="session")
def story_type() -> type[Story]:
    return Story


@pytest.fixture
def tell(tmp_path: Path) -> Callable[..., Story]:
    """Begin a story: ``tell(trials=2)`` or ``tell([config, ...])``."""

    def begin(configs: list[dict[str, Any]] | None = None, *, trials: int = 2, **options: Any) -> Story:
        configs = configs or [{"lr": 0.1 * (index + 1)} for index in range(trials)]
        return Story(tmp_path, configs, **options)

    return begin
