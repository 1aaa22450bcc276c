"""``get_context()``: who and where the running trial is, with Ray's questions about its processes."""

from __future__ import annotations

from dataclasses import fields

import poptune
from poptune._training.current import TrialContext

__all__ = ["TrainContext", "TuneContext", "get_context"]


class TrainContext(TrialContext):
    """As :class:`poptune._training.current.TrialContext`. A trial is one process, so its ranks are 0."""

    __slots__ = ()

    def get_world_rank(self) -> int:
        """Return 0: the trial is one process."""
        return 0

    def get_local_rank(self) -> int:
        """Return 0: the trial is one process."""
        return 0

    def get_node_rank(self) -> int:
        """Return 0: the trial is on one machine."""
        return 0

    def get_world_size(self) -> int:
        """Return 1: the trial is one process."""
        return 1

    def get_local_world_size(self) -> int:
        """Return 1: the trial is one process."""
        return 1


TuneContext = TrainContext


def get_context() -> TrainContext:
    """Return who and where the running trial is.

    Raises:
        TrainableError: Called outside a trial.
    """
    native = poptune.get_context()
    return TrainContext(**{field.name: getattr(native, field.name) for field in fields(native)})
