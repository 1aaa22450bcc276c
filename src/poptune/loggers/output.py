"""Files in a trial's folder of what it printed: ``stdout`` and ``stderr``, or as the user calls them."""

from __future__ import annotations

from collections.abc import Mapping

from poptune._base.layout import Layout, problem_of_new_folder
from poptune._base.types import TrialId
from poptune._core.views import WatchedPopulation
from poptune.errors import ConfigurationError
from poptune.loggers.files import append_text

LogFiles = bool | str | tuple[str, str]
"""Whether what trials print is kept; or in which file, or in which two."""
_STREAMS = ("stdout", "stderr")
_OURS = {"params.json", "result.json", "progress.csv"}
_BEGINNINGS_OF_OURS = ("checkpoint_", "events.out.tfevents.", ".")


class OutputLogger:
    """Appends what trials print to files in their folders."""

    def __init__(self, layout: Layout, population: WatchedPopulation, names: Mapping[str, str]) -> None:
        self._layout = layout
        self._population = population
        self._names = names

    def output(self, trial: TrialId, stream: str, line: str) -> None:
        folder = self._population[trial].spec.folder
        append_text(self._layout.output(folder, self._names[stream]), line + "\n")


def log_files(chosen: LogFiles) -> dict[str, str]:
    """Return the names of the files by stream; none if nothing is kept.

    Raises:
        ConfigurationError: No file of ours can have that name.
    """
    if isinstance(chosen, bool):
        return dict(zip(_STREAMS, _STREAMS, strict=True)) if chosen else {}
    names = (chosen, chosen) if isinstance(chosen, str) else chosen
    if not isinstance(names, tuple | list) or len(names) != len(_STREAMS):
        raise ConfigurationError(
            f"log_to_file must be True, False, the name of a file, or those of two, got {chosen!r}"
        )
    for name in names:
        _check(name)
    return dict(zip(_STREAMS, names, strict=True))


def _check(name: object) -> None:
    problem = "it must be a text"
    if isinstance(name, str):
        problem = problem_of_new_folder(name)
        if name in _OURS or name.startswith(_BEGINNINGS_OF_OURS):
            problem = "it must not be one of our own files, nor hidden"
    if problem:
        raise ConfigurationError(
            f"log_to_file names files in the trials' folders, but {problem}, got {name!r}: write, for "
            'example, log_to_file=("train.out", "train.err")'
        )
