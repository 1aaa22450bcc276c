"""What the object store of a cluster shares between processes: pickled bytes, and arrays beside them."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from poptune._training.shared import Parts, join


@dataclass(frozen=True, slots=True)
class StorableParts:
    """An object, taken apart. Its arrays come back as views of what is shared: they are not to be changed."""

    body: bytes
    leaves: Mapping[str, Any]
    tensors: frozenset[str]
    """Which of the leaves are tensors that travel as arrays."""

    @classmethod
    def of(cls, parts: Parts) -> StorableParts:
        """Return the object that was taken apart so."""
        leaves = parts.leaves
        arrays = {name: array for name, leaf in leaves.items() if (array := _array_of(leaf)) is not None}
        return cls(parts.body, leaves | arrays, frozenset(arrays))

    def joined(self) -> Any:
        """Return the object."""
        leaves = dict(self.leaves)
        if self.tensors:
            import torch

            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "The given NumPy array is not writable")
                leaves |= {name: torch.from_numpy(leaves[name]) for name in self.tensors}
        return join(Parts(self.body, leaves))


def _array_of(leaf: Any) -> Any:
    """Return a plain tensor on the CPU as an array over the same memory; None if it cannot be one."""
    torch = sys.modules.get("torch")
    if torch is None or type(leaf) is not torch.Tensor or leaf.requires_grad:
        return None
    try:
        return leaf.numpy()
    except (TypeError, RuntimeError):  # of another device or layout, or of a type that numpy lacks
        return None
