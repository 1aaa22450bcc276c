"""For PyTorch: hyperparameters that stay bound to an optimizer. Imports torch."""

from poptune.integrations.torch.binding import BoundOptimizer, bind

__all__ = ["BoundOptimizer", "bind"]
