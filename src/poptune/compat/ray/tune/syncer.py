"""``ray.tune.syncer``: there is nothing to synchronise on one machine."""

from __future__ import annotations

from dataclasses import dataclass

from poptune._base.arguments import reject_unknown_keywords
from poptune.compat.ray._arguments import refuse


@reject_unknown_keywords
@dataclass(frozen=True, kw_only=True)
class SyncConfig:
    """Accepted by ``RunConfig``, where a line in the log says that it changes nothing.

    Raises:
        ConfigurationError: It names a place to upload to.
    """

    upload_dir: str | None = None
    syncer: object = None
    sync_period: int = 300
    sync_timeout: int = 1800
    sync_on_checkpoint: bool = True
    sync_artifacts: bool = False
    sync_artifacts_on_checkpoint: bool = True

    def __post_init__(self) -> None:
        refuse("SyncConfig", vars(self), {"upload_dir": "copy the results when the run is over"})
