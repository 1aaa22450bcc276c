"""Warnings that point at the user's line, not at ours."""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path

from poptune.errors import PoptuneWarning

_OURS = str(Path(__file__).parents[1])


def warn(message: str | PoptuneWarning) -> None:
    """Warn the user, as from the line of theirs that called into this library.

    Args:
        message: What to say; or a warning of a class of its own.
    """
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        level, frame = level + 1, frame.f_back
    warning = PoptuneWarning(message) if isinstance(message, str) else message
    warnings.warn(warning, stacklevel=level)
