"""What the system says of an experiment's files, said so that it is known what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from poptune._training.running import DISK_ERRORS
from poptune.errors import ExperimentError


@contextmanager
def disk_errors_explained(folder: Path) -> Iterator[None]:
    """Have errors that the system raises about files in a folder say that nothing is lost.

    Raises:
        ExperimentError: There was one.
    """
    try:
        yield
    except OSError as error:
        if not _is_about(error, folder):
            raise
        raise ExperimentError(
            "An experiment needs a folder that can be read and written at any time, but the system says: "
            f"{error}. What is in the journal is safe: make room on the disk, or look to its health and "
            "permissions, then continue with Tuner.restore"
        ) from error


def _is_about(error: OSError, folder: Path) -> bool:
    name = error.filename
    if isinstance(name, str | bytes):
        return Path(os.fsdecode(name)).is_relative_to(folder)
    return name is None and error.errno in DISK_ERRORS  # as a write to an open file says it
