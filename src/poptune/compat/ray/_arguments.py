"""What becomes of arguments of Ray that have no counterpart here: a log line, or an error."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from poptune.errors import ConfigurationError

logger = logging.getLogger("poptune.compat.ray")


def set_aside(owner: str, given: Mapping[str, object], reasons: Mapping[str, str]) -> None:
    """Log a line for each argument that was given although it means nothing here."""
    for name, reason in reasons.items():
        if given[name] is not None:
            logger.warning("%s(%s=%r) changes nothing here: %s", owner, name, given[name], reason)


def refuse(owner: str, given: Mapping[str, object], reasons: Mapping[str, str]) -> None:
    """Raise ``ConfigurationError`` for the first argument that was given and cannot be honoured."""
    for name, reason in reasons.items():
        if given[name] not in (None, False):
            raise ConfigurationError(f"{owner}({name}={given[name]!r}) cannot be honoured here: {reason}")
