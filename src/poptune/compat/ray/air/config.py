"""``ray.air.config``: where and how an experiment runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING

import poptune
from poptune import Callback, CheckpointConfig
from poptune._base.arguments import reject_unknown_keywords
from poptune.compat.ray._arguments import refuse, set_aside
from poptune.compat.ray.air.stopping import Stop, native_stop
from poptune.errors import ConfigurationError
from poptune.loggers.output import LogFiles

if TYPE_CHECKING:
    from poptune.compat.ray.tune.progress_reporter import CLIReporter
    from poptune.compat.ray.tune.syncer import SyncConfig

__all__ = ["CheckpointConfig", "FailureConfig", "RunConfig"]

DEFAULT_STORAGE_PATH = "~/ray_results"
"""Where scripts of Ray look for their results."""


@reject_unknown_keywords
@dataclass(frozen=True, kw_only=True)
class FailureConfig(poptune.FailureConfig):
    """As :class:`poptune.FailureConfig`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fail_fast not in {True, False}:
            refuse("FailureConfig", vars(self), {"fail_fast": "say True; the results hold the error"})


@reject_unknown_keywords
@dataclass
class RunConfig:
    """What becomes a :class:`poptune.RunConfig`.

    Raises:
        ConfigurationError: An argument is out of its range, or cannot be honoured.
    """

    name: str | None = None
    storage_path: str | PathLike[str] | None = None
    storage_filesystem: object = None
    failure_config: poptune.FailureConfig | None = None
    checkpoint_config: CheckpointConfig | None = None
    sync_config: SyncConfig | None = None
    verbose: int | None = None
    stop: Stop | Sequence[Stop] | None = None
    callbacks: Sequence[Callback] | None = None
    progress_reporter: CLIReporter | None = None
    log_to_file: LogFiles = False
    local_dir: str | PathLike[str] | None = None

    def __post_init__(self) -> None:
        self.to_native()
        set_aside(
            "RunConfig",
            vars(self),
            {
                "sync_config": "poptune mirrors to a remote storage_path by itself",
                "progress_reporter": "poptune chooses its columns itself",
            },
        )

    def to_native(self) -> poptune.RunConfig:
        """Return the same in poptune's terms."""
        refuse(
            "RunConfig", vars(self), {"storage_filesystem": "give storage_path as a URL that fsspec knows"}
        )
        return poptune.RunConfig(
            name=self.name,
            storage_path=self.folder,
            stop=native_stop(self.stop),
            checkpoint_config=self.checkpoint_config or CheckpointConfig(),
            failure_config=self.failure_config or FailureConfig(),
            callbacks=self.callbacks or (),
            log_to_file=self.log_to_file,
            verbose=1 if self.verbose is None else min(self.verbose, 1),
        )

    @property
    def folder(self) -> str | PathLike[str]:
        """The folder that experiments are kept in, by its name of today or of 2022."""
        if self.storage_path is not None and self.local_dir is not None:
            raise ConfigurationError(
                f"RunConfig takes storage_path or, as in 2022, local_dir, got {self.storage_path!r} and "
                f"{self.local_dir!r}: leave one out"
            )
        return self.storage_path or self.local_dir or DEFAULT_STORAGE_PATH
