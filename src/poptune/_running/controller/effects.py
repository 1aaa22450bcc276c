"""Carries out what the machine commands. Everything here can be done twice without harm."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from poptune._base.types import Config
from poptune._core.commands import Command, Delete, Proceed, Release, Start, Warn
from poptune._core.population import Population
from poptune._core.random import derived_seed
from poptune._core.scheduler import CheckpointRef
from poptune._running.controller.cleaning import Cleaning
from poptune._running.executors.base import Workers
from poptune._running.executors.shipping import ship_config
from poptune._training import protocol


class Effects:
    """Turns commands into calls of the workers and the checkpoint store."""

    def __init__(
        self,
        *,
        population: Population,
        workers: Workers,
        cleaning: Cleaning,
        renewed: Callable[[Config], Config] = lambda config: config,
    ) -> None:
        self._renewed = renewed
        self._population = population
        self._workers = workers
        self._cleaning = cleaning

    def carry_out(self, commands: Iterable[Command]) -> list[str]:
        """Do what is commanded, in order; return the warnings for the user."""
        warnings = []
        for command in commands:
            match command:
                case Start():
                    self._workers.assign(self._assignment(command))
                case Proceed():
                    self._workers.proceed(self._order(command))
                case Release(trial=trial):
                    self._workers.release(trial)
                case Delete(checkpoint=checkpoint):
                    self._cleaning.add(checkpoint)
                case Warn(message=message):
                    warnings.append(message)
        return warnings

    def _order(self, proceed: Proceed) -> protocol.ProceedOrder:
        return protocol.ProceedOrder(
            trial=proceed.trial,
            incarnation=proceed.incarnation,
            until=proceed.until,
            config=b"" if proceed.config is None else ship_config(self._renewed(proceed.config)),
            course=dict(proceed.course or {}),
        )

    def _assignment(self, start: Start) -> protocol.Assignment:
        trial, created = self._population[start.trial], self._population.created
        assert created is not None
        spec = trial.spec
        checkpoint = start.checkpoint
        return protocol.Assignment(
            trial=start.trial,
            index=spec.index,
            name=spec.name,
            tag=spec.tag,
            folder=spec.folder,
            store=spec.checkpoints_folder,
            incarnation=start.incarnation,
            config=ship_config(self._renewed(start.config)),
            course=dict(start.course or {}),
            donor_config=b"" if start.donor_config is None else ship_config(start.donor_config),
            checkpoint=checkpoint.path if checkpoint else None,
            iteration=checkpoint.iteration if checkpoint else 0,
            age=checkpoint.age if checkpoint else 0.0,
            time_total_s=checkpoint.time_total_s if checkpoint else 0.0,
            totals=_totals(checkpoint),
            until=start.until,
            next_save=start.next_save,
            seed=derived_seed(created.seed, "trial", trial.index, trial.decisions),
        )


def _totals(checkpoint: CheckpointRef | None) -> dict[str, int | float]:
    """Return what the state of a checkpoint has counted beside iterations and time."""
    if checkpoint is None:
        return {}
    counted = {"timesteps_total": checkpoint.timesteps_total, "episodes_total": checkpoint.episodes_total}
    return {name: total for name, total in counted.items() if total is not None}
