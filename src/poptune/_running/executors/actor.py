"""What the controller's side knows of one actor, and who has saved what.

A call of an actor may fail without telling whether it was carried out. So orders are numbered, and given
again until each is known to have arrived; and so are batches of what it says, and each is taken in once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from poptune._base.types import TrialId
from poptune._running.executors.cluster import Cluster
from poptune._training.mailbox import Batch
from poptune._training.protocol import Message, Order
from poptune._training.remote_worker import Greeting
from poptune._training.transfers import Transfer
from poptune._training.versions import differences
from poptune._training.wire import Inbox
from poptune.errors import ExecutorError

OUT_OF_REACH_S = 20.0
"""How long an actor may be out of reach before it is given up."""
_RETRY_S = 0.5
_encode = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


@dataclass(slots=True, eq=False)
class Actor:
    """One actor: what it was ordered, what was heard of it, and whether it can be reached."""

    cluster: Cluster
    key: int
    started_s: float
    node: str | None
    is_here: bool = False
    quits_by_s: float | None = None
    orders: int = 0
    unconfirmed: dict[int, tuple[bytes, Transfer | None]] = field(default_factory=dict)
    """Orders that may not have arrived."""
    heard: int = 0
    is_asked: bool = False
    """Whether it is being listened to."""
    inbox: Inbox = field(default_factory=Inbox)
    out_of_reach_s: float | None = None
    retry_s: float = 0.0

    def arrive(self, greeting: Greeting, versions: dict[str, str]) -> None:
        """Note where it is, and have it work.

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
        self.cluster.begin(self.key)
        self.listen()

    def order(self, order: Order, transfer: Transfer | None) -> None:
        """Give an order, now or when it is in reach again."""
        self.orders += 1
        data = _encode(order)
        self.unconfirmed[self.orders] = data, transfer
        if self.out_of_reach_s is None:
            self.cluster.order(self.key, self.orders, data, transfer)

    def confirm(self, number: int) -> None:
        """Note that an order has arrived."""
        self.out_of_reach_s = None
        self.unconfirmed.pop(number, None)

    def listen(self) -> None:
        """Ask for what it has to say, unless it has been asked."""
        if not self.is_asked:
            self.is_asked = True
            self.cluster.listen(self.key, self.heard)

    def take(self, batch: Batch) -> Iterator[Message]:
        """Take in what it has said, and return that; nothing if it has come before."""
        self.is_asked = False
        self.out_of_reach_s = None
        if batch.number <= self.heard:
            return iter(())
        self.heard = batch.number
        return map(_decoder.decode, self.inbox.add(batch.frames))

    def lose_touch(self, now_s: float) -> None:
        """Note that it could not be reached just now."""
        if self.out_of_reach_s is None:
            self.out_of_reach_s = now_s
        self.retry_s = now_s + _RETRY_S

    def is_given_up(self, now_s: float) -> bool:
        """Whether it has been out of reach for too long."""
        return self.out_of_reach_s is not None and now_s - self.out_of_reach_s > OUT_OF_REACH_S

    def try_to_reach(self, now_s: float) -> None:
        """Say again what may not have arrived, if it is out of reach and the time has come."""
        if self.out_of_reach_s is None or now_s <= self.retry_s:
            return
        self.retry_s = now_s + _RETRY_S
        for number, (data, transfer) in self.unconfirmed.items():
            self.cluster.order(self.key, number, data, transfer)
        self.listen()


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
