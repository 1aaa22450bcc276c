"""Remote storage: where an experiment is when it is not only a folder of this machine.

`locations` tells a folder from a remote URL, and names the local folder that stands for one. `remote` is the
remote folder, and the one place that knows fsspec; `remote_errors` is what can go wrong there, and `retry`
what is done about it. `transfers` brings single checkpoints there and back, `stores` is that as checkpoint
stores, and `lock` lets one controller at a time work on a remote experiment. They are imported when they are
asked for: a worker of a run in a folder needs but `opening`, which finds the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from poptune._base.lazy import exports

if TYPE_CHECKING:
    from poptune._keeping.storage.locations import (
        Origin,
        experiment_mirror,
        join,
        local_path,
        origin,
        reading_copy,
        remote_url,
        split,
    )
    from poptune._keeping.storage.opening import open_store
    from poptune._keeping.storage.remote import Remote, open_remote
    from poptune._keeping.storage.remote_errors import MissingObjectError, RemoteError
    from poptune._keeping.storage.stores import FetchingStore, UploadingStore

__all__ = [
    "FetchingStore",
    "MissingObjectError",
    "Origin",
    "Remote",
    "RemoteError",
    "UploadingStore",
    "experiment_mirror",
    "join",
    "local_path",
    "open_remote",
    "open_store",
    "origin",
    "reading_copy",
    "remote_url",
    "split",
]

__getattr__ = exports(
    __name__,
    {
        "locations": "Origin experiment_mirror join local_path origin reading_copy remote_url split",
        "opening": "open_store",
        "remote": "Remote open_remote",
        "stores": "FetchingStore UploadingStore",
        "remote_errors": "MissingObjectError RemoteError",
    },
)
