"""The books of a simulated cluster: where the trials' time went, and what went over the network."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Spent = Literal["training", "saving", "uploading", "deciding", "loading", "starting", "lost"]
"""What a trial can do with its time.

- ``training``: iterations that count.
- ``saving``: its state is copied; it may train on afterwards.
- ``uploading``: it waits with its next save until the one before it is in the storage.
- ``deciding``: it waits for the controller at a milestone.
- ``loading``: a state comes to it, from another node or from the storage.
- ``starting``: it waits for a place on a node, and for its process there.
- ``lost``: iterations that a failure undid.
"""
Road = Literal["upload", "exploit", "fetch"]
"""Why bytes travel: a state goes to the storage; it comes from the memory of another node; or it comes from
the storage, since no node has it in its memory any more."""


@dataclass(slots=True)
class Accounts:
    """What is counted while a cluster is simulated."""

    spent_s: defaultdict[Spent, float] = field(default_factory=lambda: defaultdict(float))
    sent_bytes: Counter[Road] = field(default_factory=Counter)
    transfers: Counter[Road] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)
    """Messages, decisions, exploits, failures of nodes and of trials, states lost with a node."""
    answers_s: list[float] = field(default_factory=list)
    """How long each trial waited for the controller at a milestone."""
    controller_busy_s: float = 0.0

    def send(self, road: Road, size_bytes: float) -> None:
        """Note that bytes travel."""
        self.sent_bytes[road] += int(size_bytes)
        self.transfers[road] += 1

    def undo(self, iterations_s: float) -> None:
        """Note that a failure undid so much training."""
        self.spent_s["training"] -= iterations_s
        self.spent_s["lost"] += iterations_s

    def shares(self) -> Mapping[Spent, float]:
        """Return which part of all the trials' time went where."""
        total_s = sum(self.spent_s.values())
        return {what: spent_s / total_s for what, spent_s in self.spent_s.items()}
