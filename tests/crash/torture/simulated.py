"""Populations in the simulator, with a journal in memory: here a controller can die very often.

The same core runs here as everywhere; what is simulated are its workers, its clock, and its disk.
"""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from poptune._base.types import TrialStatus
from poptune._core.commands import Command, Delete, Start
from poptune._core.events import Completed, Input, Planned, Resumed
from poptune._core.experiment import Experiment
from poptune._core.retention import Retention
from poptune._core.settings import Settings
from poptune._keeping.journal import MemoryJournal, valid_results
from poptune._watching.verification import Deciders, replay
from poptune.results.history import History
from poptune.schedulers import PopulationBasedTraining
from poptune.search_space import uniform
from poptune.testing.simulation import SimulatedWorkers, created
from torture.climbing import START, advance
from torture.outcome import Outcome, plain, row
from torture.tried import Tried


class Death(Exception):  # noqa: N818 - it is what happens, no error
    """The controller dies."""


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """An experiment to be simulated."""

    synch: bool
    trials: int = 4
    iterations: int = 12
    interval: int = 3
    save_every: int = 1
    num_to_keep: int | None = 1
    slots: int = 2
    residents: int | None = None
    seed: int = 0

    @property
    def label(self) -> str:
        """How it is called in reports."""
        way = "synchronous" if self.synch else "asynchronous"
        return f"{way}, {self.trials} trials x {self.iterations}, saved every {self.save_every}, simulated"

    @property
    def scheduler(self) -> PopulationBasedTraining:
        """Who decides."""
        return PopulationBasedTraining(
            time_attr="training_iteration",
            metric="height",
            mode="max",
            perturbation_interval=self.interval,
            hyperparam_mutations={"lr": uniform(0, 1)},
            quantile_fraction=0.34,
            synch=self.synch,
        )

    @property
    def settings(self) -> Settings:
        """What the machine must know."""
        retention = Retention(num_to_keep=self.num_to_keep)
        return Settings(slots=self.slots, max_residents=self.residents, retention=retention)


class Life:
    """What outlives a controller, the journal and the disk; and one controller after another."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.journal = MemoryJournal()
        self.disk: dict[Any, Any] = {}
        self.moments = 0
        """How many of them the present controller has lived."""

    def live(self, dies_at: int | None = None) -> bool:
        """Have a controller begin or take over; return whether it came to the end, or else died."""
        self.moments = 0
        self._dies_at = dies_at
        try:
            self._live()
        except Death:
            return False
        return True

    def _live(self) -> None:
        simulation = self.simulation
        self._experiment = Experiment(simulation.scheduler, simulation.settings)
        self._workers = SimulatedWorkers(metric="height")
        self._states: dict[Any, Any] = {}
        self._due: list[tuple[float, Any, int]] = []
        self._scheduled: dict[Any, Any] = {}
        self._now_s = 0.0
        for event in self.journal.read():
            self._experiment.fold(event)
        self._sweep()
        if self._experiment.population.completed:
            return
        self._workers.saved = set(self.disk)
        begun = self._experiment.population.created is not None
        self._handle(Resumed(time_s=0.0) if begun else self._created())
        while self._due:
            self._now_s, trial, incarnation = heapq.heappop(self._due)
            held = self._workers.trials.get(trial)
            if held is not None and held.incarnation == incarnation and not held.waiting:
                self._iterate(trial)
        self._handle(Completed(time_s=self._now_s))

    def _created(self) -> Input:
        return created(
            [{} for _ in range(self.simulation.trials)], metric="height", seed=self.simulation.seed
        )

    def _sweep(self) -> None:
        known = {ref.id for trial in self._experiment.population.trials for ref in trial.saved}
        self.disk = {name: state for name, state in self.disk.items() if name in known}

    def _pass(self) -> None:
        """One more moment; perhaps the last."""
        if self.moments == self._dies_at:
            raise Death
        self.moments += 1

    def _handle(self, event: Input) -> None:
        step = self._experiment.handle(event)
        self._pass()
        self.journal.append(step.events)
        self._pass()
        for command in step.commands:
            self._obey(command)
            self._pass()
        for trial in self._workers.training:
            held = self._workers.trials[trial]
            if self._scheduled.get(trial) != (held.incarnation, held.iteration):
                self._scheduled[trial] = (held.incarnation, held.iteration)
                takes_s = 1.0 + zlib.crc32(f"{trial} {held.iteration}".encode()) % 97 / 97
                heapq.heappush(self._due, (self._now_s + takes_s, trial, held.incarnation))

    def _obey(self, command: Command) -> None:
        self._workers.carry_out([command])
        match command:
            case Start(trial=trial, checkpoint=checkpoint):
                self._states[trial] = self.disk[checkpoint.id] if checkpoint else START
            case Delete(checkpoint=checkpoint):
                del self.disk[checkpoint.id]

    def _iterate(self, trial: Any) -> None:
        held = self._workers.trials[trial]
        state = self._states[trial] = advance(self._states[trial], held.config)
        is_last = state["step"] >= self.simulation.iterations
        number = held.next_save
        is_due = is_last or state["step"] % self.simulation.save_every == 0
        if is_due:
            self.disk[f"{trial}/checkpoint_{number:06d}"] = state
            self._pass()
        reported = self._workers.report(
            trial,
            state["height"],
            save=is_due,
            stop="done" if is_last else "",
            time_s=self._now_s,
            extra={"step": state["step"], "chain": state["chain"]},
        )
        self._handle(reported)

    def outcome(self) -> Outcome:
        """Return all that may not depend on who died when."""
        trials = self._experiment.population.trials
        plans = [event.plan for event in self.journal.read() if isinstance(event, Planned)]
        return Outcome(
            decisions=[plain(decision, trials) for plan in plans for decision in plan.decisions],
            configs=[trial.config for trial in trials],
            checkpoints=[self.disk[trial.checkpoint.id] for trial in trials],
            results=[[row(one.metrics) for one in valid_results(self.journal, trial)] for trial in trials],
            lineages=[],
        )

    def problems(self) -> list[str]:
        """Say what does not agree at the end."""
        population, history = self._experiment.population, History()
        seen = type(population)()
        for event in self.journal.read():
            history.apply(event, seen)
            seen.apply(event)
        found = []
        for trial in seen.trials:
            if trial.status is not TrialStatus.TERMINATED or trial.iteration != self.simulation.iterations:
                found.append(f"{trial.id} is {trial.status} at iteration {trial.iteration}")
            state, expected, rows = START, [], []
            for segment in history.ancestry(trial):
                results = list(self.journal.results(segment.trial))
                rows += [row(one.metrics) for first, last in segment.reports for one in results[first:last]]
                for _ in range(segment.after, segment.until):
                    state = advance(state, segment.config)
                    expected.append((state["step"], *state.values()))
            if rows != expected or self.disk[trial.checkpoint.id] != state:
                found.append(f"{trial.id} is not what its lineage says")
        known = {ref.id for trial in seen.trials for ref in trial.saved}
        if known != set(self.disk):
            found.append(f"the disk has {sorted(self.disk)}, the journal {sorted(known)}")
        again = replay(self.journal.read, Deciders(self.simulation.scheduler, self.simulation.settings))
        found += [f"verify finds {difference}" for difference in again.differences]
        return found


def die_everywhere(simulation: Simulation) -> Iterator[Tried]:
    """Have the controller die at each of its moments, and another take over."""
    whole, count = _whole(simulation)
    for moment in range(count):
        life = Life(simulation)
        life.live(moment)
        life.live()
        yield Tried(f"moment {moment} of {count}", _wrong(life, whole), count)


def die_twice_everywhere(simulation: Simulation, *, every: int = 1) -> Iterator[Tried]:
    """Have the second controller die as well, at each of its moments."""
    whole, count = _whole(simulation)
    for first in range(0, count, every):
        second, died = 0, True
        while died:
            life = Life(simulation)
            life.live(first)
            died = not life.live(second)
            if died:
                life.live()
            yield Tried(f"moment {first}, then {second}", _wrong(life, whole), count * count // every // 2)
            second += 1


def _whole(simulation: Simulation) -> tuple[Outcome, int]:
    life = Life(simulation)
    assert life.live()
    assert not life.problems(), life.problems()
    return life.outcome(), life.moments


def _wrong(life: Life, whole: Outcome) -> list[str]:
    found = life.problems()
    return found + whole.differences(life.outcome()) if life.simulation.synch else found
