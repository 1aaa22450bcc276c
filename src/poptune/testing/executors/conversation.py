"""Speaking to workers without a controller."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
from msgspec.structs import replace

from poptune._base.types import TrialId
from poptune._running.executors.base import Workers
from poptune._training.protocol import Assignment, CodeFailed, Message, ProceedOrder, Result

_DEADLINE_S = 300.0


class Conversation:
    """A test's hold of running workers: what they have said so far."""

    def __init__(self, workers: Workers, path: Path) -> None:
        self.workers = workers
        self.said: list[Message] = []
        self._path = path

    def assign(self, trial: TrialId, *, until: float | None, incarnation: int = 0, **overrides: Any) -> None:
        """Assign a trial; its config tells it where to leave notes."""
        settings: dict[str, Any] = {
            "name": f"train_{trial}",
            "tag": f"{int(trial[-5:])}_lr=1",
            "folder": f"train_{trial}",
            "store": f"checkpoints/train_{trial}",
            "config": {"notes": str(self._path / "notes")},
            "checkpoint": None,
            "iteration": 0,
            "age": 0.0,
            "time_total_s": 0.0,
            "next_save": 1,
            **overrides,
        }
        settings["config"] = cloudpickle.dumps(settings["config"])
        self.workers.assign(Assignment(trial=trial, incarnation=incarnation, until=until, **settings))

    def proceed(
        self,
        trial: TrialId,
        *,
        until: float | None,
        incarnation: int = 0,
        config: dict[str, Any] | None = None,
    ) -> None:
        new = b"" if config is None else cloudpickle.dumps(config)
        self.workers.proceed(ProceedOrder(trial=trial, incarnation=incarnation, until=until, config=new))

    def hear(self, what: Callable[[Conversation], bool]) -> None:
        """Listen until something is the case."""
        deadline = time.monotonic() + _DEADLINE_S
        while not what(self):
            assert time.monotonic() < deadline, f"waited in vain; heard {self.said}"
            self.said.extend(said for said in self.workers.poll(0.05) if isinstance(said, Message))

    def hear_results(self, trial: TrialId, count: int) -> list[Result]:
        """Listen until a trial has this many results, and return them."""
        self.hear(lambda talk: len(talk.results(trial)) >= count)
        return self.results(trial)

    def hear_failure(self, trial: TrialId, count: int = 1) -> str:
        """Listen until a trial has failed so often, and return the error."""
        self.hear(lambda talk: len(talk.failures(trial)) >= count)
        return self.failures(trial)[-1].error

    def hear_note(self, note: str) -> None:
        """Listen until the trainable has left a note."""
        self.hear(lambda talk: note in talk.notes())

    def results(self, trial: TrialId) -> list[Result]:
        """A trial's results, each with its host, which is told with the first after an assignment."""
        results: list[Result] = []
        host: dict[str, Any] = {}
        for said in self.said:
            if isinstance(said, Result) and said.trial == trial:
                host = said.host or host
                results.append(replace(said, metrics=said.metrics | host))
        return results

    def failures(self, trial: TrialId) -> list[CodeFailed]:
        return [said for said in self.said if isinstance(said, CodeFailed) and said.trial == trial]

    def notes(self) -> list[str]:
        """What trainables have written down, in order."""
        file = self._path / "notes"
        return file.read_text().splitlines() if file.exists() else []
