"""``ray.air.checkpoint``: the checkpoint, as of 2022."""

from poptune.checkpoints import Checkpoint

__all__ = ["Checkpoint"]
