"""Where this process runs, as results tell it."""

from __future__ import annotations

import functools
import os
import platform
import socket
from typing import Any


def host() -> dict[str, Any]:
    """Return where this process is: a part of each result, told once."""
    return {"pid": os.getpid(), "hostname": platform.node(), "node_ip": _node_ip()}


@functools.cache  # a name server may take seconds to answer
def _node_ip() -> str:
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return "127.0.0.1"
