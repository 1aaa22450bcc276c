"""Checkpoints: saved states of trials, how they lie in a folder, and where.

`checkpoint` is what users hold, `store` where an experiment keeps them. Below them are `codec` (a
dict in a folder) with `skeleton` (its plain values), `arrays` (its arrays), `safetensors_format` (the file
that both are in) and `tensors` (the one place that knows torch), and `manifest` (the list of a folder's
files).
"""

from __future__ import annotations

from poptune._keeping.checkpoints.checkpoint import Checkpoint
from poptune._keeping.checkpoints.store import CheckpointStore, DirectoryStore, StoredCheckpoint

__all__ = ["Checkpoint", "CheckpointStore", "DirectoryStore", "StoredCheckpoint"]
