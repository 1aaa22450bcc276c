"""What an experiment is, as its journal keeps it: settings as a record, and apart what is the user's own."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cloudpickle

from poptune._base.described import Described, describe, made
from poptune._base.notices import warn
from poptune._core.events import Created, Resumed
from poptune._keeping.journal import Objects
from poptune._running.executors import InlineExecutor
from poptune._running.tuner.definition import Definition
from poptune.errors import ExperimentError, JournalError

FIRST_PARTS = 0
"""The number of the object that holds the parts of what an experiment was when it began."""


def recorded(definition: Definition) -> tuple[Described, tuple[Any, ...]]:
    """Return a definition as a record, and the parts of it that must be pickled."""
    described, parts = describe(_storable(definition))
    assert isinstance(described, Described)
    return described, parts


def defined(beginnings: Sequence[Created | Resumed], objects: Objects, *, shown: str) -> Definition:
    """Return what an experiment is, as it was changed last.

    Args:
        beginnings: How each of its sessions has begun.
        objects: What holds the parts.
        shown: Where the experiment is, for its user.

    Raises:
        ExperimentError: It was begun with a poptune that kept it otherwise.
        JournalError: A record cannot be read.
    """
    check_continuable(beginnings, shown=shown)
    first, *later = beginnings
    definition = redefined(first, objects)
    changed = next((event for event in reversed(later) if event.definition is not None), None)
    if changed is not None:
        definition = replace(redefined(changed, objects), prepared=definition.prepared)
    return definition


def check_continuable(beginnings: Sequence[Created | Resumed], *, shown: str) -> None:
    """Raise ``ExperimentError`` for an experiment that was begun before definitions were recorded."""
    if not beginnings or beginnings[0].definition is None:
        raise ExperimentError(
            "An experiment that is continued or verified must have its settings in its journal, but "
            f"{shown} was begun with an earlier poptune, which kept them otherwise. Its results, checkpoints "
            f"and plots are all there, ResultGrid.from_path({shown!r}); to train on, begin a new experiment, "
            "for example from the checkpoint of its best result, or by replaying its schedule"
        )


def redefined(event: Created | Resumed, objects: Objects) -> Definition:
    """Return what an experiment is from an event on.

    Raises:
        JournalError: The record cannot be read.
    """
    number = FIRST_PARTS if isinstance(event, Created) else event.parts
    parts = () if number is None else objects.value(number, "the parts of a definition")
    definition = made(event.definition, parts)
    if not isinstance(definition, Definition):
        raise JournalError(f"The journal must define an experiment, but it holds {definition!r}")
    return definition


def _storable(definition: Definition) -> Definition:
    """Return what can be pickled of a definition."""
    if isinstance(definition.executor, InlineExecutor) and not _can_pickle(definition.prepared):
        definition = replace(definition, prepared=None)
    if not _can_pickle(definition.run.callbacks):
        warn(
            "The callbacks cannot be pickled, so this experiment, if it is interrupted, will be restored "
            "without them: have them open files and connections in setup() instead of __init__(), or give "
            "them again, Tuner.restore(path, run_config=tune.RunConfig(callbacks=[...]))"
        )
        definition = replace(definition, run=replace(definition.run, callbacks=()))
    loggers = [logger for logger in definition.run.loggers if _can_pickle(logger)]
    if len(loggers) < len(definition.run.loggers):
        lost = [type(one).__name__ for one in definition.run.loggers if not _can_pickle(one)]
        warn(
            f"The loggers {', '.join(lost)} cannot be pickled, so this experiment, if it is interrupted, "
            "will be restored without them: have them open files and connections in begin() instead of "
            "__init__(), or give them again, Tuner.restore(path, run_config=tune.RunConfig(loggers=[...]))"
        )
        definition = replace(definition, run=replace(definition.run, loggers=loggers))
    return definition


def _can_pickle(value: object) -> bool:
    try:
        cloudpickle.dumps(value)
    except (pickle.PicklingError, TypeError, AttributeError):
        return False
    return True
