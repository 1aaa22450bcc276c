"""``tune.run(resume=...)``: an experiment that is there goes on, and one that is not begins."""

from __future__ import annotations

import os

from poptune._keeping.storage import join
from poptune.compat.ray._arguments import logger
from poptune.compat.ray.air.config import RunConfig
from poptune.compat.ray.tune.registry import Trainable
from poptune.compat.ray.tune.tuner import Tuner
from poptune.errors import ConfigurationError

_BEGINNINGS = ("AUTO", "LOCAL")
"""The latter as in 2022, when it said where the experiment lies."""
_ERRORED = {"ERRORED": "resume_errored", "RESTART_ERRORED": "restart_errored"}
_REFUSED = {
    "REMOTE": 'say resume="AUTO", and give the URL as the storage_path',
    "PROMPT": 'say resume="AUTO", which nobody has to confirm',
    "ERRORED_ONLY": 'unfinished trials train on, too: say resume="AUTO+ERRORED"',
    "RESTART_ERRORED_ONLY": 'unfinished trials train on, too: say resume="AUTO+RESTART_ERRORED"',
}


def resumed(resume: bool | str | None, run: RunConfig, trainable: Trainable) -> Tuner | None:
    """Return a tuner that continues the experiment of this name, or None if a new one is to begin.

    Args:
        resume: What ``tune.run`` was told, such as ``"AUTO+ERRORED"``.
        run: It names the experiment and its place.
        trainable: What to train from now on.

    Raises:
        ConfigurationError: ``resume`` cannot be honoured, or the experiment has no name.
    """
    if not resume:
        return None
    errored = _errored(resume)
    if run.name is None:
        raise ConfigurationError(
            f"tune.run(resume={resume!r}) resumes a named experiment, got name=None: give it the name"
        )
    folder = join(os.fspath(run.folder).rstrip("/"), run.name)
    if not Tuner.can_restore(folder):
        logger.warning("tune.run(resume=%r) begins a new experiment: there is none in %s", resume, folder)
        return None
    return Tuner.restore(
        folder,
        trainable,
        resume_errored=errored == "resume_errored",
        restart_errored=errored == "restart_errored",
    )


def _errored(resume: bool | str) -> str | None:
    """Return which argument of ``Tuner.restore`` says what is to become of the trials that failed."""
    if resume is True:
        return None
    beginning, *settings = str(resume).split("+")
    for word in (beginning, *settings):
        if word in _REFUSED:
            raise ConfigurationError(f"tune.run(resume={resume!r}) cannot be honoured here: {_REFUSED[word]}")
    if beginning not in _BEGINNINGS or not _ERRORED.keys() >= set(settings):
        raise ConfigurationError(
            'resume must be True, False, "AUTO", "AUTO+ERRORED", where trials that failed go on, or '
            f'"AUTO+RESTART_ERRORED", where they begin anew, got {resume!r}'
        )
    return _ERRORED[settings[-1]] if settings else None
