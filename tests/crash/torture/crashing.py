"""Kills a run at each of its moments, goes on from there, and compares."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import poptune as tune
from torture.climbing import Climb
from torture.images import images_of
from torture.outcome import Outcome, problems, records
from torture.tried import Tried

_AT_ONCE = 200
"""How many images are held in memory."""


def crash_everywhere(climb: Climb, scratch: Path, *, every: int = 1) -> Iterator[Tried]:
    """Kill it at each moment, or at every so many of them, and resume it."""
    whole = whole_of(climb, scratch) if climb.synch else None
    first, count = 0, 1
    while first < count:
        storage = empty(scratch / "watched")
        wanted = range(first, first + _AT_ONCE * every, every)
        images, count = images_of(storage, climb.tuner(storage).fit, wanted=wanted.__contains__)
        for image in images:
            storage = empty(scratch / "resumed")
            image.lay_out(storage)
            before = records(storage / "run")
            go_on(climb, storage)
            yield Tried(str(image.point), compare(climb, storage, whole, before), -(-count // every))
        first += _AT_ONCE * every


def crash_twice_everywhere(climb: Climb, scratch: Path, *, every: int = 1) -> Iterator[Tried]:
    """Kill it at every so many of its moments, kill the resumed run at each of its own, and resume that."""
    whole = whole_of(climb, scratch) if climb.synch else None
    storage = empty(scratch / "watched")
    images, _ = images_of(storage, climb.tuner(storage).fit, wanted=lambda number: number % every == 0)
    for image in images:
        storage = empty(scratch / "resumed")
        image.lay_out(storage)
        seconds, _ = images_of(storage, lambda storage=storage: go_on(climb, storage))
        for second in seconds:
            storage = empty(scratch / "resumed")
            second.lay_out(storage)
            before = records(storage / "run")
            go_on(climb, storage)
            yield Tried(
                f"{image.point}, then {second.point}",
                compare(climb, storage, whole, before),
                len(seconds) * len(images),
            )


def whole_of(climb: Climb, scratch: Path) -> Outcome:
    """Return what comes of it if nobody interrupts it."""
    storage = empty(scratch / "whole")
    climb.tuner(storage).fit()
    wrong = problems(storage / "run", climb)
    assert not wrong, wrong
    return Outcome.of(storage / "run")


def go_on(climb: Climb, storage: Path, executor: object = None) -> None:
    """Do what a user does whose program has died: run it again, or restore the experiment if there is one."""
    if (storage / "run" / "experiment.db").exists():
        with warnings.catch_warnings(action="ignore", category=tune.PoptuneWarning):  # it may have ended
            tune.Tuner.restore(storage / "run").fit()
    else:
        climb.tuner(storage, executor).fit()


def compare(climb: Climb, storage: Path, whole: Outcome | None, before: list[object]) -> list[str]:
    """Say what is wrong with a run that was interrupted, and had these records in its journal then."""
    found = problems(storage / "run", climb)
    if not (verification := tune.verify(storage / "run")).ok:
        found.append(f"verify finds {verification}")
    if records(storage / "run")[: len(before)] != before:
        found.append("what was in the journal before is not there any more")
    if whole is not None:
        found += whole.differences(Outcome.of(storage / "run"))
    return found


def empty(folder: Path) -> Path:
    """Return the folder with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
