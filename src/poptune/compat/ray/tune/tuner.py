"""``ray.tune.tuner``: the user's entry point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from typing import Any

import poptune
from poptune._base.arguments import reject_unknown_keywords
from poptune._base.layout import Layout
from poptune._keeping.mirroring import is_experiment
from poptune._keeping.storage import experiment_mirror, local_path, open_remote, remote_url
from poptune._training.trainable import Prepared
from poptune.compat.ray._arguments import refuse
from poptune.compat.ray.air.config import RunConfig
from poptune.compat.ray.tune.registry import Trainable, find_trainable
from poptune.compat.ray.tune.result_grid import ResultGrid
from poptune.compat.ray.tune.search.variant_generator import native_space
from poptune.compat.ray.tune.trainable import with_requested_resources
from poptune.compat.ray.tune.tune_config import TuneConfig
from poptune.errors import ConfigurationError


@reject_unknown_keywords
class Tuner(poptune.Tuner):
    """As :class:`poptune.Tuner`; takes poptune's own configs as well."""

    def __init__(
        self,
        trainable: Trainable | str | None = None,
        *,
        param_space: Mapping[str, Any] | None = None,
        tune_config: TuneConfig | poptune.TuneConfig | None = None,
        run_config: RunConfig | poptune.RunConfig | None = None,
    ) -> None:
        tune, run = tune_config or TuneConfig(), run_config or RunConfig()
        space = native_space(param_space)
        prepared = find_trainable(trainable)
        if isinstance(run, RunConfig):
            _check_checkpoints(prepared, run)
        super().__init__(
            with_requested_resources(prepared, space),
            param_space=space,
            tune_config=_seeded(tune.to_native()) if isinstance(tune, TuneConfig) else tune,
            run_config=_returning(run.to_native() if isinstance(run, RunConfig) else run),
        )

    @classmethod
    def restore(
        cls,
        path: str | PathLike[str],
        trainable: Trainable | str | None = None,
        resume_unfinished: bool = True,
        resume_errored: bool = False,
        restart_errored: bool = False,
        param_space: Mapping[str, Any] | None = None,
        storage_filesystem: object = None,
    ) -> Tuner:
        """Return a tuner whose :meth:`fit` continues the experiment in a folder.

        Raises:
            ConfigurationError: Unfinished trials are not to be resumed.
        """
        if not resume_unfinished:
            raise ConfigurationError(
                "resume_unfinished=False cannot be honoured here: to look at the results only, use "
                "ResultGrid.from_path(path)"
            )
        refuse(
            "Tuner.restore",
            {"storage_filesystem": storage_filesystem},
            {"storage_filesystem": "give storage_path as a URL that fsspec knows"},
        )
        found = None if trainable is None else find_trainable(trainable)
        tuner = super().restore(
            path,
            found,
            param_space=param_space,
            resume_errored=resume_errored,
            restart_errored=restart_errored,
        )
        assert isinstance(tuner, Tuner)
        return tuner

    @classmethod
    def can_restore(cls, path: str | PathLike[str]) -> bool:
        """Return whether there is an experiment in a folder, which may be the URL of a remote one."""
        url = remote_url(path)
        if Layout(experiment_mirror(url) if url else local_path(path)).journal.is_file():
            return True
        return bool(url) and is_experiment(open_remote(url))

    def fit(self) -> ResultGrid:
        """Train until every trial has ended, and return the results."""
        return ResultGrid.of(super().fit())

    def get_results(self) -> ResultGrid:
        """Return the results so far of an experiment that was restored or run."""
        return ResultGrid.of(super().get_results())


def _check_checkpoints(prepared: Prepared, run: RunConfig) -> None:
    """Raise ``ConfigurationError`` for a wish for checkpoints that a function could not follow."""
    wishes = run.checkpoint_config
    if prepared.is_class or wishes is None:
        return
    for name in ("checkpoint_frequency", "checkpoint_at_end"):
        if getattr(wishes, name):
            raise ConfigurationError(
                f"CheckpointConfig({name}={getattr(wishes, name)!r}) is for classes, but {prepared.name} is "
                "a function, which saves when it says so: call tune.report(metrics, checkpoint=...)"
            )


def _seeded(config: poptune.TuneConfig) -> poptune.TuneConfig:
    """Return a config whose seed, unless it has one, follows from ``numpy.random.seed``, as in Ray."""
    import numpy as np

    if config.seed is not None:
        return config
    return replace(config, seed=int(np.random.randint(2**31 - 1)))


def _returning(run: poptune.RunConfig) -> poptune.RunConfig:
    """Have the results returned also where all trials failed, as Ray does."""
    return replace(run, failure_config=replace(run.failure_config, on_all_failed="return"))
