"""What a trial is before it has trained, also one that is born while others train."""

from __future__ import annotations

from msgspec import Struct

from poptune._base.places import checkpoints_folder
from poptune._base.types import Config, TrialId


class TrialSpec(Struct, frozen=True, kw_only=True):
    """What a trial is before it has trained: its names and its sampled config."""

    id: TrialId
    index: int
    name: str
    """The trainable's name and the id, ``train_convnet_69158_00000``."""
    tag: str
    """Index and sampled values, ``0_lr=0.0701,momentum=0.1774``."""
    folder: str
    """The trial's folder inside the experiment's."""
    config: Config
    store: str = ""
    """What its checkpoints lie in; empty in experiments of before, where that is the trial's folder."""

    @property
    def checkpoints_folder(self) -> str:
        """What its checkpoints lie in, relative to the experiment's folder."""
        return self.store or self.folder


def newcomer(first: TrialSpec, trainable: str, index: int, config: Config) -> TrialSpec:
    """Return what the trial with this index is, if it is born while others train.

    Args:
        first: The first trial of the experiment.
        trainable: What trials are called after.
        index: How many trials there are before it.
        config: What it begins with.
    """
    experiment = first.id.rpartition("_")[0]
    trial_id = TrialId(f"{experiment}_{index:05d}")
    begins = first.folder.partition(first.id)[0] if first.id in first.folder else ""
    folder = f"{begins}{trial_id}_{index}"
    return TrialSpec(
        id=trial_id,
        index=index,
        name=f"{trainable}_{trial_id}",
        tag=str(index),
        folder=folder,
        config=config,
        store=checkpoints_folder(folder),
    )
