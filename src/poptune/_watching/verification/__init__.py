"""Whether an experiment is what its journal says: decisions follow from it, and checkpoints are whole."""

from poptune._watching.verification.checkpoint_files import check_states, kept
from poptune._watching.verification.replaying import Deciders, replay
from poptune._watching.verification.verdict import BrokenCheckpoint, Difference, Verification

__all__ = ["BrokenCheckpoint", "Deciders", "Difference", "Verification", "check_states", "kept", "replay"]
