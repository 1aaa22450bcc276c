"""What the controller's side knows of one actor, and who has saved what."""

from __future__ import annotations

from dataclasses import dataclass, field

from poptune.errors import ExecutorError
from poptune.executors.node_slots import Slot
from poptune.runtime.protocol import Assignment
from poptune.runtime.remote_worker import Greeting
from poptune.runtime.transfers import Transfer
from poptune.runtime.versions import differences
from poptune.runtime.wire import Inbox
from poptune.types import TrialId


@dataclass(slots=True, eq=False)
class Actor:
    """One actor, and what it is doing."""

    key: int
    slot: Slot
    started_s: float
    node: str | None
    is_here: bool = False
    assignment: Assignment | None = None
    """What it trains now; None if it is free."""
    trains: bool = False
    """Whether it needs the CPU: a trial that waits inside its report does not."""
    leaves: bool = False
    quits_by_s: float | None = None
    killed_for: str = ""
    orders: int = 0
    unconfirmed: dict[int, tuple[bytes, Transfer | None]] = field(default_factory=dict)
    """Orders that may not have arrived."""
    heard: int = 0
    is_asked: bool = False
    """Whether it is being listened to."""
    inbox: Inbox = field(default_factory=Inbox)
    out_of_reach_s: float | None = None
    retry_s: float = 0.0

    @property
    def is_free(self) -> bool:
        return self.assignment is None and self.quits_by_s is None

    def arrive(self, greeting: Greeting, versions: dict[str, str]) -> None:
        """Note where it is.

        Raises:
            ExecutorError: It has other versions than the program.
        """
        if found := differences(versions, greeting.versions):
            raise ExecutorError(
                f"The program and its workers must have the same versions, but on {greeting.machine} "
                f"{'; '.join(found)}: install the same everywhere, or name them in "
                "RayExecutor(runtime_env={'pip': [...]}). Tuner.restore(...) continues the experiment"
            )
        self.is_here = True
        self.node = greeting.node


class Savers:
    """Which actor has saved each trial's newest checkpoint, and so has it in its hands."""

    def __init__(self) -> None:
        self._newest: dict[TrialId, str] = {}
        self._savers: dict[str, int] = {}

    def note(self, trial: TrialId, path: str, saver: int) -> None:
        """Note that an actor has saved a trial's newest checkpoint."""
        self._savers.pop(self._newest.get(trial, ""), None)
        self._newest[trial], self._savers[path] = path, saver

    def of(self, path: str) -> int | None:
        """Return who has saved a checkpoint; None if it is nobody's newest."""
        return self._savers.get(path)
