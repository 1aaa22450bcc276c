"""The only builder of names in an experiment's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from poptune.types import TrialId


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are in the folder of an experiment."""

    root: Path

    @property
    def journal(self) -> Path:
        return self.root / "experiment.db"

    @property
    def objects(self) -> Path:
        return self.root / "objects.pkl"

    @property
    def perturbations(self) -> Path:
        """One line a perturbation, of all trials."""
        return self.root / "pbt_global.txt"

    def policy(self, trial: TrialId) -> Path:
        """The perturbations along the lineage of a trial's present state."""
        return self.root / f"pbt_policy_{trial}.txt"

    def trial(self, folder: str) -> Path:
        return self.root / folder

    def params(self, folder: str) -> Path:
        return self.root / folder / "params.json"

    def results(self, folder: str) -> Path:
        return self.root / folder / "result.json"

    def progress(self, folder: str) -> Path:
        return self.root / folder / "progress.csv"

    def events(self, folder: str, began_s: float) -> Path:
        """What TensorBoard reads of a trial; one file a session."""
        return self.root / folder / f"events.out.tfevents.{began_s:.6f}.poptune"

    def output(self, folder: str, stream: str) -> Path:
        """What a trial printed; ``stream`` is ``stdout`` or ``stderr``."""
        return self.root / folder / stream
