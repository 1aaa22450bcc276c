"""``ray.air.checkpoint``: the checkpoint, as of 2022."""

from poptune.compat.ray._checkpoint import Checkpoint

__all__ = ["Checkpoint"]
