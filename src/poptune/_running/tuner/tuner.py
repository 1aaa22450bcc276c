"""The user's entry point: validates, wires, runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from poptune._base.arguments import reject_unknown_keywords
from poptune._base.notices import warn
from poptune._core.scheduler import Scheduler
from poptune._keeping.journal import ObjectTable
from poptune._keeping.storage import local_path, remote_url
from poptune._keeping.storage.locations import storage_mirror
from poptune._running.controller.interrupts import InterruptedAtOnceError
from poptune._running.tuner.configs import RunConfig, TuneConfig
from poptune._running.tuner.continuing import Changes, Continuation
from poptune._running.tuner.definition import Definition
from poptune._running.tuner.disk import disk_errors_explained
from poptune._running.tuner.folder import ExperimentFolder
from poptune._running.tuner.outcome import raise_if_all_failed
from poptune._running.tuner.run import Run
from poptune._training.trainable import Prepared, prepare
from poptune.errors import EndedWarning, ExperimentError
from poptune.results import ResultGrid
from poptune.stoppers import StopFunction, Stopper


@reject_unknown_keywords
class Tuner:
    """Trains a population.

    Args:
        trainable: A function of the config, or a subclass of :class:`Trainable`.
        param_space: The config's keys, each with a value or a domain such as ``tune.uniform(0, 1)``.
        tune_config: How the population is made and steered.
        run_config: Where and how it runs, and when it ends.

    Raises:
        ConfigurationError: Any argument is wrong. Nothing has started then.

    Example:
        >>> import poptune as tune
        >>> def train(config):
        ...     for step in range(3):
        ...         tune.report({"loss": config["lr"] / (step + 1)})
        >>> tuner = tune.Tuner(
        ...     train,
        ...     param_space={"lr": tune.loguniform(1e-4, 1)},
        ...     tune_config=tune.TuneConfig(metric="loss", mode="min", num_samples=4),
        ...     run_config=tune.RunConfig(executor="inline", storage_path=tmp_path, verbose=0),
        ... )
        >>> results = tuner.fit()
        >>> len(results)
        4
    """

    def __init__(
        self,
        trainable: Callable[..., Any] | Prepared,
        *,
        param_space: Mapping[str, Any] | None = None,
        tune_config: TuneConfig | None = None,
        run_config: RunConfig | None = None,
    ) -> None:
        definition = Definition.make(
            prepare(trainable),
            {} if param_space is None else param_space,
            TuneConfig() if tune_config is None else tune_config,
            RunConfig() if run_config is None else run_config,
        )
        self._continuation = Continuation(definition=definition)
        self._folder: ExperimentFolder | None = None
        self._objects = ObjectTable()
        self._is_as_stored = False

    @classmethod
    def restore(
        cls,
        path: str | PathLike[str],
        trainable: Callable[..., Any] | Prepared | None = None,
        *,
        stop: Mapping[str, float] | StopFunction | Stopper | None = None,
        param_space: Mapping[str, Any] | None = None,
        run_config: RunConfig | None = None,
        scheduler: Scheduler[Any] | None = None,
        time_budget_s: float | None = None,
        resume_errored: bool = False,
        restart_errored: bool = False,
    ) -> Tuner:
        """Return a tuner whose :meth:`fit` continues the experiment in a folder, interrupted or finished.

        The experiment's own trainable, scheduler and settings are opened, which runs code from the folder:
        restore only what you trust. Functions and classes that the script itself defines are those of today
        where the same script restores, with what they call: what was mended there counts. A lambda keeps its
        own line, but what it calls is that of today.

        With other stops, the trials go on that have not reached them. Those that a scheduler has ended, and
        those that failed unless it is said, stay as they are. What is changed here holds for later sessions,
        too, but for the trainable, which each is given anew.

        Args:
            path: The experiment's folder, or the URL of a remote one.
            trainable: Use this in place of the stored trainable, for example after mending an error in it.
            stop: When trials end from now on, as in :class:`RunConfig`: ``{"training_iteration": 100}``
                trains a run further that has ended at 50.
            param_space: Fresh references, as ``tune.put`` returns them, for those that stand in the same
                places of the experiment's ``param_space``. All else stays: the trials have their configs.
            run_config: Other settings of the run. What it leaves at its default stays as it was, and so do
                the name and the storage path.
            scheduler: Use this in place of the stored scheduler, which must be of the same kind: for example
                with a mended ``custom_explore_fn``.
            time_budget_s: From now on so many seconds, whatever was spent before.
            resume_errored: Trials that failed go on from their newest checkpoints, and those that were ended
                because of one (``fail_fast``) from where they were.
            restart_errored: Trials that failed begin from nothing, with their present hyperparameters.

        Raises:
            ConfigurationError: Something cannot be changed so.
            ExperimentError: The folder holds no experiment.
            JournalError: Its files cannot be opened.
            StorageError: The remote storage fails.

        Example:
            >>> import poptune as tune
            >>> def train(config):
            ...     while True:
            ...         tune.report({"loss": config["lr"]})
            >>> run_config = tune.RunConfig(
            ...     executor="inline", storage_path=tmp_path, verbose=0, stop={"training_iteration": 2}
            ... )
            >>> results = tune.Tuner(train, param_space={"lr": 0.1}, run_config=run_config).fit()
            >>> further = tune.Tuner.restore(results.experiment_path, stop={"training_iteration": 5})
            >>> further.fit()[0].metrics["training_iteration"]
            5
        """
        folder = ExperimentFolder.existing(path)
        changes = Changes(
            trainable=None if trainable is None else prepare(trainable),
            stop=stop,
            param_space=param_space,
            run_config=run_config,
            scheduler=scheduler,
            time_budget_s=time_budget_s,
            resume_errored=resume_errored,
            restart_errored=restart_errored,
        )
        tuner = cls.__new__(cls)
        tuner._take_over(folder, changes)  # noqa: SLF001
        return tuner

    def _take_over(self, folder: ExperimentFolder, changes: Changes) -> None:
        stored, self._objects = folder.open()
        self._continuation = changes.applied(stored, spent_s=lambda: folder.spent_s)
        self._folder = folder
        self._is_as_stored = True
        if self._definition.prepared is None:
            raise ExperimentError(
                "The trainable of this experiment could not be stored, since it captures what cannot be "
                f"pickled: give it again, Tuner.restore({folder.shown!r}, trainable=...)"
            )

    @property
    def _definition(self) -> Definition:
        return self._continuation.definition

    def fit(self) -> ResultGrid:
        """Train until every trial has ended, and return the results.

        Ctrl-C ends the run gracefully: the results so far are returned, and :meth:`restore` continues it. A
        second Ctrl-C ends the program at once, with exit code 130; what was journaled is safe.

        Raises:
            AllTrialsFailedError: Every trial was given up, or was ended without a result for a mistake in
                the training code; it has the results.
            ExperimentError: The folder cannot be used, or holds an interrupted experiment of that name.
            ConfigurationError: The remote storage cannot be written.
            StorageError: The remote storage fails; at the end, when all is done, for too long.
        """
        with disk_errors_explained(self._folder.path if self._folder else self._storage):
            return self._fit()

    @property
    def _storage(self) -> Path:
        path = self._definition.run.storage_path
        return storage_mirror(url) if (url := remote_url(path)) else local_path(path)

    def _fit(self) -> ResultGrid:
        if self._folder is None:
            run = Run.begin(self._definition)
        elif self._is_over(self._folder):
            return self._old_results(self._folder)
        else:
            run = Run.resume(self._folder, self._continuation, self._objects, is_stored=self._is_as_stored)
        asked_in_vain = self._continuation.asks_for_more and run.experiment.population.completed
        self._is_as_stored = False
        self._folder, self._objects = run.folder, run.objects
        self._continuation = Continuation(definition=self._definition)
        try:
            completed = run.run()
        except InterruptedAtOnceError as interrupt:
            if hasattr(sys, "ps1"):  # a prompt or a notebook goes on
                raise
            raise SystemExit(interrupt.exit_code) from None
        if asked_in_vain:
            return self._old_results(run.folder)
        results = self.get_results()
        if completed and self._definition.run.failure_config.on_all_failed == "raise":
            raise_if_all_failed(run.experiment.population.trials, results)
        return results

    def _is_over(self, folder: ExperimentFolder) -> bool:
        return folder.is_completed and folder.is_all_there and not self._continuation.asks_for_more

    def _old_results(self, folder: ExperimentFolder) -> ResultGrid:
        """The results of an experiment in which nothing is left to train, and how there would be."""
        results = self.get_results()
        failed = f" (or resume_errored=True for the {results.num_errors} that failed)" * any(results.errors)
        message = (
            f"The experiment in {folder.shown} has ended, so there is nothing to train: fit() returns its "
            "old results. To train it further, give other stops, "
            f"Tuner.restore({folder.shown!r}, stop={{...}}){failed}; to begin anew, make another Tuner"
        )
        warn(EndedWarning(message, folder.shown, results.num_errors))
        return results

    def get_results(self) -> ResultGrid:
        """Return the results so far of an experiment that was restored or run.

        Raises:
            ExperimentError: It has neither been restored nor run.
        """
        if self._folder is None:
            raise ExperimentError("There are no results before fit(): call tuner.fit()")
        return ResultGrid.of_run(self._folder.path, self._objects)
