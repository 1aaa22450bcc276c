"""``stdout`` and ``stderr`` in a trial's folder: what the trial printed."""

from __future__ import annotations

from poptune.core.population import Population
from poptune.layout import Layout
from poptune.loggers.files import append_text
from poptune.types import TrialId


class OutputLogger:
    """Appends what trials print to files in their folders."""

    def __init__(self, layout: Layout, population: Population) -> None:
        self._layout = layout
        self._population = population

    def output(self, trial: TrialId, stream: str, line: str) -> None:
        folder = self._population[trial].spec.folder
        append_text(self._layout.output(folder, stream), line + "\n")
