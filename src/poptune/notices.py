"""Warnings that point at the user's line, not at ours."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from poptune.errors import PoptuneWarning

_OURS = str(Path(__file__).parent)


def warn(message: str | PoptuneWarning) -> None:
    """Warn the user, as from the line of theirs that called into this library.

    Args:
        message: What to say; or a warning of a class of its own.
    """
    level, frame = 1, sys._getframe()  # noqa: SLF001 - the documented way to walk the stack
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        level, frame = level + 1, frame.f_back
    warning = PoptuneWarning(message) if isinstance(message, str) else message
    warnings.warn(warning, stacklevel=level)
