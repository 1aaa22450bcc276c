"""Damages checkpoints that trials are about to go back to, or to copy."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from poptune._core.commands import Start
from poptune._running.controller.effects import Effects
from poptune.errors import PoptuneWarning
from poptune.results.recording import Recording
from torture.climbing import Climb
from torture.crashing import compare, empty, go_on
from torture.images import images_of
from torture.outcome import records
from torture.tried import Tried


def _truncate(folder: Path) -> None:
    file = folder / "state.safetensors"
    file.write_bytes(file.read_bytes()[:-1])


def _flip(folder: Path) -> None:
    file = folder / "state.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "deleted": shutil.rmtree,
    "truncated": _truncate,
    "flipped": _flip,
    "headless": lambda folder: (folder / ".poptune_manifest.json").unlink(),
}


def damage_before_resumes(climb: Climb, scratch: Path, *, every: int = 1) -> Iterator[Tried]:
    """Interrupt it, damage a checkpoint that is there, in each way, and go on."""
    storage = empty(scratch / "watched")
    images, count = images_of(storage, climb.tuner(storage).fit, wanted=lambda number: number % every == 0)
    for image in images:
        image.lay_out(empty(scratch / "damaged"))
        for name in _stood_on(scratch / "damaged" / "run"):
            for kind, damage in DAMAGES.items():
                storage = empty(scratch / "damaged")
                image.lay_out(storage)
                damage(storage / name)
                before = records(storage / "run")
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", PoptuneWarning)
                    go_on(climb, storage)
                wrong = _compare(climb, storage, before, storage / name)
                yield Tried(f"{kind} {name}, at {image.point}", wrong, -(-count // every) * len(DAMAGES))


def damage_before_starts(climb: Climb, scratch: Path, executor: object = None) -> Iterator[Tried]:
    """Damage each checkpoint that a trial is told to go on from, in the moment before it is told."""
    number, more = 0, True
    while more:
        for kind, damage in DAMAGES.items():
            storage = empty(scratch / "damaged")
            harm = _Harm(number, lambda path, damage=damage, storage=storage: damage(storage / "run" / path))
            with harm.watch(), warnings.catch_warnings():
                warnings.simplefilter("ignore", PoptuneWarning)
                climb.tuner(storage, executor).fit()
            more = harm.done is not None
            if harm.done is not None:
                wrong = _compare(climb, storage, [], storage / "run" / harm.done)
                yield Tried(f"{kind} {harm.done}, to be loaded", wrong, 0)
        number += 1


class _Harm:
    """Stands between the decision to load a checkpoint and the order to do it."""

    def __init__(self, number: int, damage: Callable[[str], object]) -> None:
        self.done: str | None = None
        self._left = number
        self._damage = damage

    def watch(self) -> Any:
        """Return a context in which the checkpoint of that number is damaged."""
        pass_on = Effects._assignment

        def harmed(effects: Effects, start: Start) -> Any:
            if start.checkpoint is not None:
                if self._left == 0:
                    self.done = start.checkpoint.path
                    self._damage(self.done)
                self._left -= 1
            return pass_on(effects, start)

        return mock.patch.object(Effects, "_assignment", harmed)


def _stood_on(path: Path) -> list[str]:
    """Return the checkpoints that trials would go back to."""
    if not (path / "experiment.db").exists():
        return []
    trials = Recording.open(path).population.trials
    return sorted({f"run/{t.checkpoint.path}" for t in trials if t.checkpoint and t.status.is_live})


def _compare(climb: Climb, storage: Path, before: list[object], damaged: Path) -> list[str]:
    """Say what is wrong, but for what is left of the damaged checkpoint, which nobody may touch."""
    shutil.rmtree(damaged, ignore_errors=True)
    return compare(climb, storage, None, before)
