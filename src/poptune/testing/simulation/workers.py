"""Workers that do nothing but keep the protocol: they do what is commanded, and report what they are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from poptune._base.course import Course, present
from poptune._base.places import checkpoint_path
from poptune._base.types import CheckpointId, Config, TrialId
from poptune._core.commands import Command, Delete, Proceed, Release, Start, Warn
from poptune._core.events import Declined, Failed, Reported, Returned
from poptune._core.scheduler import CheckpointRef


@dataclass(slots=True)
class SimulatedTrial:
    """A trial inside a worker."""

    incarnation: int
    config: Config
    until: float | None
    iteration: int
    time_total_s: float
    next_save: int
    course: Course | None = None
    waiting: bool = False


class SimulatedWorkers:
    """Carries out commands on paper, and checks that they make sense.

    Args:
        time_attr: The metric that milestones are measured in.
        metric: The name of the score in the results.
        takes_configs: Whether the training code can go on with a new config, or is entered anew with it.
    """

    def __init__(
        self,
        time_attr: str = "training_iteration",
        metric: str = "score",
        *,
        takes_configs: bool = True,
    ) -> None:
        self.trials: dict[TrialId, SimulatedTrial] = {}
        self.saved: set[CheckpointId] = set()
        self.deleted: set[CheckpointId] = set()
        self.damaged: set[str] = set()
        """Paths of checkpoints that are there, but cannot be loaded."""
        self.stuck: dict[TrialId, str] = {}
        """Trials that were to load one of them, and which; each is to :meth:`stumble` next."""
        self.declining: set[TrialId] = set()
        """Trials that wait with a new config which they cannot take; each is to :meth:`decline` next."""
        self.takes_configs = takes_configs
        self.entries = 0
        """How often training code was entered."""
        self.warnings: list[str] = []
        self._time_attr = time_attr
        self._metric = metric

    def carry_out(self, commands: Iterable[Command]) -> None:
        """Do what the machine commands.

        Raises:
            AssertionError: A command contradicts what was commanded before.
        """
        for command in commands:
            match command:
                case Start():
                    self._start(command)
                case Proceed():
                    self._proceed(command)
                case Release(trial=trial):
                    del self.trials[trial]
                case Delete(checkpoint=checkpoint):
                    assert checkpoint.id in self.saved, f"{checkpoint.id} is deleted twice"
                    self.saved.discard(checkpoint.id)
                    self.deleted.add(checkpoint.id)
                case Warn(message=message):
                    self.warnings.append(message)

    def _proceed(self, proceed: Proceed) -> None:
        held = self.trials[proceed.trial]
        assert held.waiting, f"{proceed.trial} is told to proceed, but does not wait"
        assert held.incarnation == proceed.incarnation
        if proceed.config is not None and not self.takes_configs:
            self.declining.add(proceed.trial)
            return
        held.waiting, held.until = False, proceed.until
        if proceed.config is not None:
            held.config, held.course = proceed.config, proceed.course

    def _start(self, start: Start) -> None:
        held = self.trials.get(start.trial)
        assert (held is not None) == start.resident, f"{start.trial} is not where it is thought to be"
        assert held is None or held.waiting, f"{start.trial} is restarted amid its training"
        checkpoint = start.checkpoint
        if checkpoint is not None:
            self._require(checkpoint)
        self.entries += 1
        self.trials[start.trial] = SimulatedTrial(
            incarnation=start.incarnation,
            config=start.config,
            course=start.course,
            until=start.until,
            iteration=checkpoint.iteration if checkpoint else 0,
            time_total_s=checkpoint.time_total_s if checkpoint else 0.0,
            next_save=start.next_save,
        )
        self.stuck.pop(start.trial, None)
        self.declining.discard(start.trial)
        if checkpoint is not None and checkpoint.path in self.damaged:
            self.stuck[start.trial] = checkpoint.path

    def _require(self, checkpoint: CheckpointRef) -> None:
        assert checkpoint.id in self.saved, f"{checkpoint.id} is to be loaded, but is not there"

    @property
    def training(self) -> list[TrialId]:
        """The trials that train now, in the order of their names."""
        return sorted(trial for trial, held in self.trials.items() if not held.waiting)

    def report(
        self,
        trial: TrialId,
        score: float | None,
        *,
        save: bool,
        stop: str = "",
        time_s: float = 0.0,
        duration_s: float = 1.0,
        extra: Mapping[str, Any] | None = None,
    ) -> Reported:
        """Return a trial's next result as its worker would send it."""
        held = self.trials[trial]
        held.iteration += 1
        held.time_total_s += duration_s
        metrics: dict[str, Any] = {
            **(extra or {}),
            "training_iteration": held.iteration,
            "time_total_s": held.time_total_s,
        }
        if score is not None:
            metrics[self._metric] = score
        number = None
        if save:
            number, held.next_save = held.next_save, held.next_save + 1
            self.saved.add(CheckpointId(checkpoint_path(trial, number)))
        age = metrics.get(self._time_attr, 0.0)
        held.config = present(held.config, held.course, age)
        held.waiting = not stop and held.until is not None and age >= held.until
        reported = Reported(
            time_s=time_s,
            trial=trial,
            incarnation=held.incarnation,
            iteration=held.iteration,
            metrics=metrics,
            checkpoint=number,
            waiting=held.waiting,
            stop=stop,
        )
        if stop:
            del self.trials[trial]
        return reported

    def fail(self, trial: TrialId, *, time_s: float = 0.0) -> Failed:
        """Return the death of a trial's worker."""
        held = self.trials.pop(trial)
        return Failed(time_s=time_s, trial=trial, incarnation=held.incarnation, error="it died")

    def stumble(self, trial: TrialId, *, time_s: float = 0.0) -> Failed:
        """Return the failure of a trial that was to load a damaged checkpoint."""
        held, path = self.trials.pop(trial), self.stuck.pop(trial)
        return Failed(
            time_s=time_s, trial=trial, incarnation=held.incarnation, error="it is damaged", damaged=path
        )

    def decline(self, trial: TrialId, *, time_s: float = 0.0) -> Declined:
        """Return what a trial says that cannot take its new config as it stands."""
        self.declining.discard(trial)
        return Declined(time_s=time_s, trial=trial, incarnation=self.trials[trial].incarnation)

    def end(self, trial: TrialId, *, time_s: float = 0.0) -> Returned:
        """Return the end of a trial's training code."""
        held = self.trials.pop(trial)
        return Returned(time_s=time_s, trial=trial, incarnation=held.incarnation)

    def vanish(self) -> None:
        """All workers are gone, as when the controller dies."""
        self.trials.clear()
        self.stuck.clear()
        self.declining.clear()
