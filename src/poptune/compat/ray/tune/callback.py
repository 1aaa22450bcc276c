"""``ray.tune.callback``: the hooks, which have Ray's names and order already."""

from __future__ import annotations

import poptune
from poptune.compat.ray._checkpoint import Checkpoint
from poptune.compat.ray.tune.experiment import SeenTrial

__all__ = ["Callback"]


class Callback(poptune.Callback):
    """As :class:`poptune.Callback`; trials and checkpoints are shown as in Ray."""

    trial_view = SeenTrial
    checkpoint_view = Checkpoint
