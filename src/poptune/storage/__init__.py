"""Remote storage: where an experiment is when it is not only a folder of this machine.

`locations` tells a folder from a remote URL, and names the local folder that stands for one. `remote` is the
remote folder, and the one place that knows fsspec; `trouble` is what can go wrong there, and `retry` what is
done about it. `transfers` brings single checkpoints there and back, `stores` is that as checkpoint stores,
and `lock` lets one controller at a time work on a remote experiment.
"""

from __future__ import annotations

from poptune.storage.locations import (
    Origin,
    experiment_mirror,
    join,
    local_path,
    origin,
    reading_copy,
    remote_url,
    split,
)
from poptune.storage.remote import Remote, open_remote
from poptune.storage.stores import FetchingStore, UploadingStore, open_store
from poptune.storage.trouble import MissingObjectError, RemoteError

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
