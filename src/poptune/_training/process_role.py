"""Whether this process is the user's program, or one that was started to work for it."""

from __future__ import annotations

_is_helper = False


def become_helper() -> None:
    """Say that this process works for another one's run."""
    global _is_helper  # noqa: PLW0603 - it is a fact about the process
    _is_helper = True


def is_helper() -> bool:
    """Whether this process works for another one's run, so that it needs no helpers of its own."""
    return _is_helper
