"""The only builder of names in an experiment's folder."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path

from poptune._base.places import CHECKPOINTS
from poptune._base.types import TrialId
from poptune.errors import ExperimentError

_LONGEST_BYTES = 240
"""What file systems allow, less the ``.1`` of an experiment that is moved aside."""
_ODD_CATEGORIES = {"Cc", "Cs"}
"""Control characters and halves of surrogate pairs."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are in the folder of an experiment."""

    root: Path

    @property
    def journal(self) -> Path:
        return self.root / "experiment.db"

    @property
    def lock(self) -> Path:
        """There while a process runs the experiment, or if one was killed."""
        return self.root / "experiment.lock"

    @property
    def objects(self) -> Path:
        return self.root / "objects.pkl"

    @property
    def perturbations(self) -> Path:
        """One line a perturbation, of all trials."""
        return self.root / "pbt_global.txt"

    def policy(self, trial: TrialId) -> Path:
        """The perturbations along the lineage of a trial's present state."""
        return self._inside(f"pbt_policy_{trial}.txt")

    def trial(self, folder: str) -> Path:
        """A trial's folder.

        Raises:
            ExperimentError: Its name would lead out of the experiment's folder.
        """
        return self._inside(folder)

    def _inside(self, name: str) -> Path:
        if not is_one_name(name):
            raise ExperimentError(
                f"What belongs to an experiment lies in its folder, but {self.root} names {name!r}: its "
                "journal was changed, or is not poptune's"
            )
        return self.root / name

    def params(self, folder: str) -> Path:
        return self.trial(folder) / "params.json"

    def results(self, folder: str) -> Path:
        return self.trial(folder) / "result.json"

    def progress(self, folder: str) -> Path:
        return self.trial(folder) / "progress.csv"

    def events(self, folder: str, began_s: float) -> Path:
        """What TensorBoard reads of a trial; one file a session."""
        return self.trial(folder) / f"events.out.tfevents.{began_s:.6f}.poptune"

    def error(self, folder: str) -> Path:
        """Why a trial was given up."""
        return self.trial(folder) / "error.txt"

    def output(self, folder: str, stream: str) -> Path:
        """What a trial printed; ``stream`` is ``stdout`` or ``stderr``."""
        return self.trial(folder) / stream


def is_one_name(name: str) -> bool:
    """Whether a text names something right in a folder: neither the folder itself nor anything elsewhere."""
    return name not in {"", ".", ".."} and "/" not in name and "\0" not in name


def problem_of_new_folder(name: str) -> str:
    """Return what keeps a text from being the name of a new folder of ours; empty if nothing does."""
    if not is_one_name(name) or "\\" in name:
        return "it must name one folder, without slashes"
    if name != name.strip():
        return "it must neither begin nor end with a space"
    if any(unicodedata.category(letter) in _ODD_CATEGORIES for letter in name):
        return "it must hold no control characters"
    if len(name.encode()) > _LONGEST_BYTES:
        return f"it must have at most {_LONGEST_BYTES} bytes"
    return ""


def is_reserved(name: str) -> bool:
    """Whether a file of the experiment's own may have this name in its folder."""
    beside = name.removesuffix(".new").removesuffix("-journal").removesuffix("-wal").removesuffix("-shm")
    ours = {CHECKPOINTS, "experiment.db", "experiment.lock", "objects.pkl", "pbt_global.txt"}
    return beside in ours or (name.startswith("pbt_policy_") and name.endswith(".txt"))
