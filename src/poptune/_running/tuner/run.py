"""One session of an experiment: from its first event, or from where it was interrupted, to its end."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from poptune._base.layout import Layout
from poptune._base.notices import warn
from poptune._base.types import TrialId
from poptune._core.events import Created, Resumed
from poptune._core.experiment import Experiment, Step
from poptune._core.population import Population
from poptune._core.scheduler import Scheduler
from poptune._keeping.checkpoints import CheckpointStore, DirectoryStore
from poptune._keeping.journal import ObjectTable, SqliteJournal, consistent, valid_results
from poptune._keeping.storage import join, local_path, open_remote, remote_url
from poptune._keeping.storage.locations import storage_mirror
from poptune._keeping.storage.remote import check_writable
from poptune._running.controller import Controller, Limits, Listener, Observer, Watcher
from poptune._running.controller.cleaning import Cleaning
from poptune._running.controller.damage import damaged_checkpoints
from poptune._running.controller.effects import Effects
from poptune._running.controller.interrupts import InterruptedAtOnceError
from poptune._running.controller.recovery import remind, spent_s
from poptune._running.executors.base import Work
from poptune._running.tuner.continuing import Continuation
from poptune._running.tuner.definition import Definition
from poptune._running.tuner.doubts import never_at_a_milestone
from poptune._running.tuner.first_results import FirstResults
from poptune._running.tuner.folder import ExperimentFolder
from poptune._running.tuner.lock import ExperimentLock
from poptune._running.tuner.naming import experiment_name, trial_specs
from poptune._running.tuner.recorded import recorded
from poptune._running.tuner.references import Renewal
from poptune._running.tuner.remote_side import RemoteSide
from poptune._watching.progress import Progress, RunFacts, watch
from poptune.callbacks import CallbackRunner
from poptune.loggers import Logger, WatchedRun
from poptune.loggers.at_work import LoggersAtWork
from poptune.loggers.chosen import loggers_of
from poptune.loggers.errors import ErrorLogger
from poptune.loggers.output import OutputLogger, log_files
from poptune.loggers.pbt_log import PerturbationLogger
from poptune.search_space import Domain, GridSearch, SampleFrom, entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A session, wired and ready; its first step is in the journal."""

    folder: ExperimentFolder
    definition: Definition
    experiment: Experiment
    journal: SqliteJournal
    objects: ObjectTable
    lock: ExperimentLock
    first: Step
    remote: RemoteSide | None = None
    """The session's hold on the remote folder; ``None`` for an experiment that has none."""
    spent_s: float = 0.0
    """For how long earlier sessions have worked on the experiment."""
    moved_aside: Path | None = None
    """Where the finished experiment is now that had this one's name."""
    renewal: Renewal = field(default_factory=Renewal)
    """The references of today for those of before."""

    @classmethod
    def begin(cls, definition: Definition) -> Run:
        """Make the folder of a new experiment and its journal.

        Raises:
            ExperimentError: The place cannot be used, or an experiment that has not ended has that name.
        """
        assert definition.prepared is not None
        seed = definition.seed
        trials = trial_specs(definition.prepared, definition.sample(seed), definition.tune)
        storage, url = _storage(definition)
        name = definition.run.name or experiment_name(definition.prepared, storage)
        needs = definition.tune.scheduler.needs
        record, parts = recorded(definition)
        created = Created(
            time_s=time.time(),
            name=name,
            trainable=definition.prepared.name,
            seed=seed,
            metric=needs.metric,
            mode=needs.mode,
            time_attr=needs.time_attr,
            objectives=definition.tune.objectives,
            trials=trials,
            definition=record,
        )
        experiment = Experiment(definition.tune.scheduler, definition.settings(len(trials)))
        first = experiment.handle(created)
        folder, lock, moved_aside = ExperimentFolder.make(
            storage, name, remote=join(url, name) if url else ""
        )
        with ExitStack() as on_error:
            on_error.callback(lock.release)
            remote = _take_remote(folder, on_error)
            if remote is not None:
                remote.make_way()
            objects = folder.store(parts)
            journal = SqliteJournal.create(folder.layout.journal, first.events, objects)
            on_error.callback(folder.forget)
            on_error.callback(journal.close)
            if remote is not None:
                remote.mirroring.start()
            on_error.pop_all()
        return cls(
            folder=folder,
            definition=definition,
            experiment=experiment,
            journal=journal,
            objects=objects,
            lock=lock,
            first=first,
            remote=remote,
            moved_aside=moved_aside,
        )

    @classmethod
    def resume(
        cls, folder: ExperimentFolder, continuation: Continuation, objects: ObjectTable, *, is_stored: bool
    ) -> Run:
        """Fold an experiment's journal and take over from there.

        Args:
            folder: The experiment's.
            continuation: What it is, and how it goes on.
            objects: The values that its journal names by number.
            is_stored: Whether the definition is as it was stored, so that its stoppers have seen nothing yet.

        Raises:
            ExperimentError: Another process is running the experiment.
        """
        definition = continuation.definition
        with ExitStack() as on_error:
            lock = folder.lock()
            on_error.callback(lock.release)
            remote = _take_remote(folder, on_error)
            objects.take_over()
            journal = SqliteJournal.open(folder.layout.journal, objects)
            on_error.callback(journal.close)
            population = len(definition.sample(seed=0))
            experiment = Experiment(definition.tune.scheduler, definition.settings(population))
            for event in consistent(journal.read(), experiment.population):
                experiment.fold(event)
            if is_stored or continuation.has_new_stops:
                remind(definition.stop_rules.stoppers, journal.read(), experiment.population)
            spent = spent_s(journal.read())
            first = Step()
            revived, anew = continuation.revived(experiment.population)
            if revived or not experiment.population.completed:  # which somebody may have seen to just before
                live = [t for t in experiment.population.trials if t.status.is_live or t.id in revived]
                continuation.renewal.check(live)
                store = _store(folder, remote)
                known = {ref.path for trial in experiment.population.trials for ref in trial.saved}
                store.sweep(known)
                resumed = Resumed(
                    time_s=time.time(),
                    damaged=_damaged_for_good(experiment.population, store, remote, revived),
                    revived=revived,
                    anew=anew,
                )
                first = experiment.handle(
                    _redefining(resumed, definition, objects) if continuation.is_revised else resumed
                )
                journal.append(first.events)
            if remote is not None:
                remote.mirroring.start()
            on_error.pop_all()
        return cls(
            folder=folder,
            definition=definition,
            experiment=experiment,
            journal=journal,
            objects=objects,
            lock=lock,
            first=first,
            remote=remote,
            spent_s=spent,
            renewal=continuation.renewal,
        )

    def run(self) -> bool:
        """Train; return whether the experiment is complete.

        Raises:
            StorageError: It is, but could not all be brought to the remote storage.
        """
        with ExitStack() as at_last:
            at_last.callback(self.lock.release)
            at_last.callback(self.journal.close)
            run = self.definition.run
            progress = watch(style=run.progress, verbose=run.verbose, facts=self._facts())
            if self.remote is not None:
                at_last.push(_closing(self.remote, progress))
            if self.experiment.population.completed:
                return True
            with progress, LoggersAtWork(self._loggers(), self._watched()) as loggers:
                if self.moved_aside is not None:
                    progress.remark(f"The experiment that had this name is in {self.moved_aside} now")
                try:
                    completed = self._controller(progress, loggers).run(self.first)
                except InterruptedAtOnceError:
                    progress.finish(completed=False)
                    raise
                progress.finish(completed=completed)
            if completed and (doubt := never_at_a_milestone(self.experiment.population, self._scheduler)):
                warn(doubt)
            return completed

    @property
    def _scheduler(self) -> Scheduler[Any]:
        return self.definition.tune.scheduler

    def _controller(self, progress: Progress, loggers: Observer) -> Controller:
        definition, path = self.definition, self.folder.path
        assert definition.prepared is not None
        population = self.experiment.population
        assert population.created is not None
        workers = definition.executor.open(
            Work(
                prepared=definition.prepared,
                terms=definition.terms(population.created.name, str(path), self.folder.remote),
                slots=definition.slots(len(population.trials)),
                most_slots=definition.most_slots(len(population.trials)),
                bundles=definition.bundles,
                reuse_workers=definition.tune.reuse_workers,
            )
        )
        cleaning = Cleaning(population, _store(self.folder, self.remote), self.journal)
        rules = definition.stop_rules
        budgets = [budget for budget in (definition.tune.time_budget_s, rules.timeout_s) if budget]
        limits = Limits(
            stoppers=rules.stoppers,
            time_budget_s=min(budgets, default=None),
            time_spent_s=self.spent_s,
            report_timeout_s=definition.run.failure_config.report_timeout_s,
        )
        return Controller(
            experiment=self.experiment,
            journal=self.journal,
            workers=workers,
            effects=Effects(
                population=population, workers=workers, cleaning=cleaning, renewed=self.renewal.renewed
            ),
            cleaning=cleaning,
            callbacks=self._callbacks(),
            observers=[*self._observers(), loggers],
            listeners=self._listeners(),
            display=progress,
            limits=limits,
        )

    def _callbacks(self) -> list[Watcher]:
        run = self.definition.run
        if not run.callbacks:
            return []
        setup = {
            "stop": run.stop,
            "num_samples": self.definition.tune.num_samples,
            "total_num_samples": len(self.experiment.population.trials),
        }
        return [CallbackRunner(run.callbacks, self.folder.layout, setup)]

    def _observers(self) -> list[Observer]:
        mirroring = [] if self.remote is None else [self.remote.mirroring]
        return [*mirroring, self._first_results(self.folder.layout)]

    def _loggers(self) -> list[Logger]:
        policy_logs = [PerturbationLogger()] if self._scheduler.needs.policy_logs else []
        return [ErrorLogger(), *policy_logs, *loggers_of(self.definition.run.loggers)]

    def _watched(self) -> WatchedRun:
        return WatchedRun(
            population=self.experiment.population,
            layout=self.folder.layout,
            valid_results=partial(valid_results, self.journal),
            journal=self.journal.read,
            resumed=not isinstance(self.first.events[0], Created),
        )

    def _first_results(self, layout: Layout) -> FirstResults:
        definition, checkpoints = self.definition, self.definition.run.checkpoint_config
        return FirstResults(
            layout,
            metric=definition.tune.scheduler.needs.metric,
            ends={**definition.stop_rules.thresholds, **(definition.run.stop_population_at or {})},
            keeps_all=checkpoints.num_to_keep is None,
            keeps_by=None if checkpoints.num_to_keep is None else checkpoints.checkpoint_score_attribute,
        )

    def _listeners(self) -> list[Listener]:
        names = log_files(self.definition.run.log_to_file)
        return [OutputLogger(self.folder.layout, self.experiment.population, names)] if names else []

    def _facts(self) -> RunFacts:
        created = self.experiment.population.created
        assert created is not None
        return RunFacts(
            name=created.name,
            path=self.folder.shown,
            metric=created.metric,
            mode=created.mode,
            time_attr=created.time_attr,
            slots=self.definition.slots(len(created.trials)),
            parameters=self._parameters(),
            stop=self.definition.stop_rules.thresholds,
            time_budget_s=self.definition.tune.time_budget_s,
        )

    def _parameters(self) -> tuple[str, ...]:
        """The dotted paths of the hyperparameters that differ between trials or change."""
        drawn = [
            path
            for path, value in entries(self.definition.param_space).items()
            if isinstance(value, Domain | GridSearch | SampleFrom)
        ]
        return tuple(dict.fromkeys([*self._scheduler.needs.hyperparameters, *drawn]))


def _storage(definition: Definition) -> tuple[Path, str]:
    """Return the folder that a new experiment's is to be in, and the URL that it is mirrored to, tried out.

    Raises:
        ConfigurationError: There cannot be written.
    """
    path = definition.run.storage_path
    if not (url := remote_url(path)):
        return local_path(path), ""
    check_writable(open_remote(url))
    return storage_mirror(url), url


def _take_remote(folder: ExperimentFolder, on_error: ExitStack) -> RemoteSide | None:
    if not folder.remote:
        return None
    remote = RemoteSide.take(folder.path, folder.remote)
    on_error.callback(remote.lock.release)
    return remote


def _closing(
    remote: RemoteSide, progress: Progress
) -> Callable[[object, BaseException | None, object], None]:
    """Return what lets go of the remote folder, however the session ends."""
    return lambda _kind, error, _trace: remote.close(error, tell=progress.remark)


def _store(folder: ExperimentFolder, remote: RemoteSide | None) -> CheckpointStore:
    return DirectoryStore(folder.path) if remote is None else remote.store


def _damaged_for_good(
    population: Population, store: CheckpointStore, remote: RemoteSide | None, revived: Collection[TrialId]
) -> tuple[str, ...]:
    """Return the checkpoints that must be gone around, after those were mended that are whole remotely."""
    tried: set[str] = set()
    damaged = damaged_checkpoints(population, store, revived)
    while remote is not None and remote.mend(set(damaged) - tried):
        tried |= set(damaged)
        damaged = damaged_checkpoints(population, store, revived)
    return damaged


def _redefining(resumed: Resumed, definition: Definition, objects: ObjectTable) -> Resumed:
    """Return the event with what the experiment is from now on, but for its trainable."""
    record, parts = recorded(dataclasses.replace(definition, prepared=None))
    return msgspec.structs.replace(resumed, definition=record, parts=objects.add(parts))
