"""Where checkpoints are in an experiment's folder, as texts: the only builder of their paths."""

from __future__ import annotations

import re
from collections.abc import Collection

CHECKPOINTS = "checkpoints"
"""The folder of the checkpoints: the trials' folders belong to the user.

Experiments of before keep them in the trials' folders, ``<trial folder>/checkpoint_000004``; this one is not
there then.
"""
_CHECKPOINT = re.compile(rf"(?:{CHECKPOINTS}/)?(?!\.{{1,2}}/)[^/\0]+/checkpoint_\d{{6,}}")


def checkpoints_folder(trial_folder: str) -> str:
    """Return where a trial's checkpoints lie, relative to the experiment's folder."""
    return f"{CHECKPOINTS}/{trial_folder}"


def checkpoint_path(folder: str, number: int) -> str:
    """Return the path of a checkpoint, relative to the experiment's folder.

    Args:
        folder: What its trial's checkpoints lie in.
        number: Counts the trial's saves.
    """
    return f"{folder}/checkpoint_{number:06d}"


def is_checkpoint_path(path: str) -> bool:
    """Whether this can be the path of a checkpoint, relative to the experiment's folder."""
    return _CHECKPOINT.fullmatch(path) is not None


def lie_with_their_trials(names: Collection[str]) -> bool:
    """Whether, to judge by what there is, an experiment keeps checkpoints in its trials' folders."""
    return not any(name.startswith(f"{CHECKPOINTS}/") for name in names)


def checkpoint_of(name: str, *, with_trials: bool) -> str:
    """Return the path of the checkpoint that a file belongs to, or nothing.

    Args:
        name: The file's path, relative to the experiment's folder.
        with_trials: Whether the experiment keeps checkpoints in its trials' folders.
    """
    parts = name.split("/")
    path = "/".join(parts[: 2 if with_trials else 3])
    is_deeper = path != name and path.startswith(f"{CHECKPOINTS}/") is not with_trials
    return path if is_deeper and is_checkpoint_path(path) else ""
