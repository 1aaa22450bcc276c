"""Workers that do nothing but keep the protocol: they do what is commanded, and report what they are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from poptune.core.commands import Command, Delete, Proceed, Release, Start, Warn
from poptune.core.events import Failed, Reported, Returned
from poptune.core.scheduler import CheckpointRef
from poptune.places import checkpoint_path
from poptune.types import CheckpointId, Config, TrialId


@dataclass(slots=True)
class SimulatedTrial:
    """A trial inside a worker."""

    incarnation: int
    config: Config
    until: float | None
    iteration: int
    time_total_s: float
    next_save: int
    waiting: bool = False


class SimulatedWorkers:
    """Carries out commands on paper, and checks that they make sense.

    Args:
        time_attr: The metric that milestones are measured in.
        metric: The name of the score in the results.
    """

    def __init__(self, time_attr: str = "training_iteration", metric: str = "score") -> None:
        self.trials: dict[TrialId, SimulatedTrial] = {}
        self.saved: set[CheckpointId] = set()
        self.deleted: set[CheckpointId] = set()
        self.damaged: set[str] = set()
        """Paths of checkpoints that are there, but cannot be loaded."""
        self.stuck: dict[TrialId, str] = {}
        """Trials that were to load one of them, and which; each is to :meth:`stumble` next."""
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
                case Proceed(trial=trial, incarnation=incarnation, until=until):
                    held = self.trials[trial]
                    assert held.waiting, f"{trial} is told to proceed, but does not wait"
                    assert held.incarnation == incarnation
                    held.waiting, held.until = False, until
                case Release(trial=trial):
                    del self.trials[trial]
                case Delete(checkpoint=checkpoint):
                    assert checkpoint.id in self.saved, f"{checkpoint.id} is deleted twice"
                    self.saved.discard(checkpoint.id)
                    self.deleted.add(checkpoint.id)
                case Warn(message=message):
                    self.warnings.append(message)

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
            until=start.until,
            iteration=checkpoint.iteration if checkpoint else 0,
            time_total_s=checkpoint.time_total_s if checkpoint else 0.0,
            next_save=start.next_save,
        )
        self.stuck.pop(start.trial, None)
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

    def end(self, trial: TrialId, *, time_s: float = 0.0) -> Returned:
        """Return the end of a trial's training code."""
        held = self.trials.pop(trial)
        return Returned(time_s=time_s, trial=trial, incarnation=held.incarnation)

    def vanish(self) -> None:
        """All workers are gone, as when the controller dies."""
        self.trials.clear()
        self.stuck.clear()
