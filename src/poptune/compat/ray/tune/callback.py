"""``ray.tune.callback``: the hooks, which have Ray's names and order already."""

from poptune.callbacks import Callback

__all__ = ["Callback"]
