"""The user's entry point: validates, wires, runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from poptune.arguments import reject_unknown_keywords
from poptune.errors import ExperimentError
from poptune.journal import ObjectTable
from poptune.results import ResultGrid
from poptune.runtime.trainable import Prepared, prepare
from poptune.storage import local_path, remote_url
from poptune.storage.locations import storage_mirror
from poptune.tuner.configs import RunConfig, TuneConfig
from poptune.tuner.definition import Definition
from poptune.tuner.disk import disk_errors_explained
from poptune.tuner.folder import ExperimentFolder
from poptune.tuner.run import Run


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
        self._definition = Definition.make(
            prepare(trainable),
            {} if param_space is None else param_space,
            TuneConfig() if tune_config is None else tune_config,
            RunConfig() if run_config is None else run_config,
        )
        self._folder: ExperimentFolder | None = None
        self._objects = ObjectTable()
        self._is_as_stored = False

    @classmethod
    def restore(
        cls, path: str | PathLike[str], trainable: Callable[..., Any] | Prepared | None = None
    ) -> Tuner:
        """Return a tuner whose :meth:`fit` continues the experiment in a folder.

        The experiment's own trainable, scheduler and settings are opened, which runs code from the folder:
        restore only what you trust.

        Args:
            path: The experiment's folder, or the URL of a remote one.
            trainable: Use this in place of the stored trainable, for example after mending an error in it.

        Raises:
            ExperimentError: The folder holds no experiment.
            JournalError: Its files cannot be opened.
            StorageError: The remote storage fails.
        """
        folder = ExperimentFolder.existing(path)
        tuner = cls.__new__(cls)
        tuner._take_over(folder, None if trainable is None else prepare(trainable))  # noqa: SLF001
        return tuner

    def _take_over(self, folder: ExperimentFolder, prepared: Prepared | None) -> None:
        self._definition, self._objects = folder.open(prepared)
        self._folder = folder
        self._is_as_stored = True

    def fit(self) -> ResultGrid:
        """Train until every trial has ended, and return the results.

        Ctrl-C ends the run gracefully: the results so far are returned, and :meth:`restore` continues it.

        Raises:
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
        elif self._folder.is_completed and self._folder.is_all_there:
            return self.get_results()
        else:
            run = Run.resume(self._folder, self._definition, self._objects, is_stored=self._is_as_stored)
        self._is_as_stored = False
        self._folder, self._objects = run.folder, run.objects
        run.run()
        return self.get_results()

    def get_results(self) -> ResultGrid:
        """Return the results so far of an experiment that was restored or run.

        Raises:
            ExperimentError: It has neither been restored nor run.
        """
        if self._folder is None:
            raise ExperimentError("There are no results before fit(): call tuner.fit()")
        return ResultGrid.of_run(self._folder.path, self._objects)
