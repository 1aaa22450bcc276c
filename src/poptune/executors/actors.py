"""Runs trials in the actors of a cluster. What the cluster is, only :mod:`poptune.executors.ray` knows."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence

import msgspec

from poptune.errors import ExecutorError
from poptune.executors.actor import Actor, Savers
from poptune.executors.base import Work
from poptune.executors.cluster import (
    CallFailed,
    Cluster,
    ClusterEvent,
    Greeted,
    Obeyed,
    Said,
    SlotReady,
)
from poptune.executors.node_slots import NodeSlots, SlotKeeper
from poptune.places import checkpoint_path
from poptune.runtime.memory import CHECK_S, LEAST_FREE
from poptune.runtime.protocol import (
    Assignment,
    Capacity,
    CodeFailed,
    CodeReturned,
    Crowded,
    Idle,
    Lost,
    Message,
    News,
    Order,
    ProceedOrder,
    QuitOrder,
    ReleaseOrder,
    Result,
)
from poptune.runtime.remote_worker import Greeting
from poptune.runtime.transfers import Transfer
from poptune.runtime.versions import versions
from poptune.types import TrialId

_OUT_OF_REACH_S = 20.0
"""How long an actor may be out of reach before it is given up."""
_PAUSE_S = 0.1
"""How long to wait for events before the clock is looked at."""
_RETRY_S = 0.5
_QUIT_S = 0.5
"""How long an actor may take to quit that has nothing to leave."""
_LOOK_S = 2.0
"""How often it is asked about what should have happened long ago."""
_PATIENCE_S = 10.0
_EXPERIMENT_ENDED = "the experiment has ended"
_TOLD_TO_END = "its process was told to end (SIGTERM), as machines do that are about to be taken away"
_encode = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


class ActorWorkers:
    """The running actors of an experiment.

    Args:
        cluster: Where they run.
        work: What they do.
        slots: How many slots there are to be.
        exclusive: Whether each trial that is held in memory needs a slot for itself.
    """

    def __init__(self, cluster: Cluster, work: Work, *, slots: int, exclusive: bool) -> None:
        self._cluster = cluster
        self._work = work
        self._versions = versions()
        self._actors: dict[int, Actor] = {}
        self._holder: dict[TrialId, Actor] = {}
        self._queue: list[Assignment] = []
        """Assignments for which there is no room yet."""
        self._savers = Savers()
        self._messages: list[Message | News] = []
        self._keys = itertools.count()
        self._opened_s = self._looked_s = time.monotonic()
        self._memory_checked_s = 0.0
        self._closing = False
        self._slots = NodeSlots(slots, exclusive=exclusive)
        self._keeper = SlotKeeper(
            cluster,
            self._slots,
            told=work.slots,
            say=lambda ready: self._messages.append(Capacity(slots=ready)),
        )

    # Orders

    def assign(self, assignment: Assignment) -> None:
        actor = self._holder.get(assignment.trial) or self._free_actor()
        if actor is None and len(self._queue) < sum(actor.leaves for actor in self._actors.values()):
            self._queue.append(assignment)
            return
        actor = actor or self._launch()
        if actor is None:
            self._queue.append(assignment)
            return
        actor.assignment = assignment
        self._holder[assignment.trial] = actor
        self._set_training(actor, trains=True)
        self._order(actor, assignment, self._transfer(assignment, actor))

    def proceed(self, order: ProceedOrder) -> None:
        if (actor := self._holder.get(order.trial)) is not None:
            self._set_training(actor, trains=True)
            self._order(actor, order)

    def release(self, trial: TrialId) -> None:
        self._queue = [assignment for assignment in self._queue if assignment.trial != trial]
        if (actor := self._holder.get(trial)) is not None:
            self._let_go(actor, trial)
            self._order(actor, ReleaseOrder(trial=trial))

    def kill(self, trial: TrialId, reason: str) -> None:
        if (actor := self._holder.get(trial)) is not None:
            self._end_actor(actor, reason)

    def _end_actor(self, actor: Actor, reason: str) -> None:
        actor.killed_for = reason
        self._cluster.kill(actor.key)
        self._bury(actor, reason)

    def _let_go(self, actor: Actor, trial: TrialId) -> None:
        actor.leaves = True
        self._set_training(actor, trains=False)
        if self._holder.get(trial) is actor:
            del self._holder[trial]

    def _set_training(self, actor: Actor, *, trains: bool) -> None:
        self._slots.train(actor.slot, trains - actor.trains)
        actor.trains = trains

    def _free_actor(self) -> Actor | None:
        """Return a free actor whose node has room; if there is room elsewhere only, give one up for that."""
        free = [actor for actor in self._actors.values() if actor.is_free]
        if not free:
            return None
        fitting = [actor for actor in free if not self._slots.is_full(actor.slot)]
        if fitting:
            return fitting[0]
        better = self._slots.choose()
        if better is not None and not self._slots.is_full(better):
            self._dismiss(free[0])
        return None

    def _serve_queue(self) -> None:
        queue, self._queue = self._queue, []
        for assignment in queue:
            self.assign(assignment)

    def _launch(self) -> Actor | None:
        slot = self._slots.choose()
        if slot is None or self._slots.is_full(slot):
            return None  # a slot more is on its way, or one has just gone
        actor = Actor(next(self._keys), slot, time.monotonic(), slot.node)
        self._actors[actor.key] = actor
        self._slots.live(slot, 1)
        self._cluster.start(actor.key, slot.number)
        return actor

    def _transfer(self, assignment: Assignment, to: Actor) -> Transfer | None:
        """Return the checkpoint that an assignment names, if another node's actor has it in its hands."""
        path = assignment.checkpoint
        if path is None or (saver := self._savers.of(path)) is None:
            return None
        donor = self._actors.get(saver)
        if donor is None or donor.out_of_reach_s is not None or donor.node == to.node:
            return None
        return Transfer(path, self._cluster.pack(donor.key, path))

    def _order(self, actor: Actor, order: Order, transfer: Transfer | None = None) -> None:
        actor.orders += 1
        data = _encode(order)
        actor.unconfirmed[actor.orders] = data, transfer
        if actor.out_of_reach_s is None:
            self._cluster.order(actor.key, actor.orders, data, transfer)

    # Messages

    def poll(self, timeout_s: float) -> Sequence[Message | News]:
        if not self._messages and not self._closing:
            self._attend(timeout_s)
        messages, self._messages = self._messages, []
        return messages

    def _attend(self, timeout_s: float) -> None:
        for event in self._cluster.events(min(timeout_s, _PAUSE_S)):
            self._take_event(event)
        self._tend()

    def _take_event(self, event: ClusterEvent) -> None:
        if isinstance(event, SlotReady):
            if not self._closing and self._keeper.settle(event.number):
                self._serve_queue()
            return
        actor = self._actors.get(event.key)
        if actor is None:
            return
        match event:
            case Said():
                actor.is_asked = False
                actor.out_of_reach_s = None
                self._hear(actor, event)
            case Obeyed(number=number):
                actor.out_of_reach_s = None
                actor.unconfirmed.pop(number, None)
            case Greeted(greeting=greeting):
                self._welcome(actor, greeting)
            case CallFailed():
                self._take_failure(actor, event)

    def _welcome(self, actor: Actor, greeting: Greeting) -> None:
        actor.arrive(greeting, self._versions)
        self._slots.move(actor.slot, greeting.node)
        self._cluster.begin(actor.key)
        self._listen(actor)

    def _listen(self, actor: Actor) -> None:
        if not actor.is_asked:
            actor.is_asked = True
            self._cluster.listen(actor.key, actor.heard)

    def _hear(self, actor: Actor, said: Said) -> None:
        batch = said.heard.batch
        if batch.number > actor.heard:
            actor.heard = batch.number
            self._take_frames(actor, batch.frames)
        if actor.key not in self._actors:
            return
        if batch.is_last:
            self._end_actor(actor, _EXPERIMENT_ENDED)
            return
        if batch.leaves:
            self._keeper.rest(actor.slot, time.monotonic())
            self._end_actor(actor, _TOLD_TO_END)
            return
        self._listen(actor)
        self._watch_memory(actor, said.heard.memory_free)

    def _take_frames(self, actor: Actor, frames: bytes) -> None:
        try:
            for message in map(_decoder.decode, actor.inbox.add(frames)):
                self._take_message(actor, message)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._end_actor(actor, f"its worker said what is no message of a worker ({error})")

    def _take_message(self, actor: Actor, message: Message) -> None:
        match message:
            case Idle():
                self._become_free(actor, message)
                return
            case Result(stop=""):
                self._note_result(actor, message)
            case Result(trial=trial) | CodeFailed(trial=trial) | CodeReturned(trial=trial):
                if isinstance(message, Result):
                    self._note_result(actor, message)
                self._let_go(actor, trial)
            case _:
                pass
        self._messages.append(message)

    def _note_result(self, actor: Actor, result: Result) -> None:
        if result.waiting:
            self._set_training(actor, trains=False)
            self._serve_queue()
        if result.checkpoint is not None and actor.assignment is not None:
            path = checkpoint_path(actor.assignment.store, result.checkpoint)
            self._savers.note(result.trial, path, actor.key)

    def _become_free(self, actor: Actor, idle: Idle) -> None:
        self._let_go(actor, idle.trial)
        assignment, actor.assignment = actor.assignment, None
        actor.leaves = False
        if not (idle.reusable and self._work.reuse_workers):
            self._dismiss(actor)
        if self._closing:
            return
        if idle.replace and assignment is not None:
            self._queue.append(assignment)
        self._serve_queue()

    def _dismiss(self, actor: Actor, grace_s: float = _QUIT_S) -> None:
        actor.leaves = True
        actor.quits_by_s = time.monotonic() + grace_s
        self._order(actor, QuitOrder())

    def _watch_memory(self, actor: Actor, free: float | None) -> None:
        now_s = time.monotonic()
        if free is None or free > LEAST_FREE or now_s - self._memory_checked_s < CHECK_S:
            return
        self._memory_checked_s = now_s
        self._messages.append(Crowded(machine=str(actor.node)))

    # Losses

    def _take_failure(self, actor: Actor, failed: CallFailed) -> None:
        if failed.call == "listen":
            actor.is_asked = False
        match failed.kind:
            case "unreachable":
                if actor.out_of_reach_s is None:
                    actor.out_of_reach_s = time.monotonic()
                actor.retry_s = time.monotonic() + _RETRY_S
            case "never began":
                raise ExecutorError(
                    f"A worker must be able to begin, but it cannot: {failed.reason}. What the program needs "
                    "must be installed on every node, poptune among it; RayExecutor(runtime_env={'pip': "
                    "[...]}) can install it. Tuner.restore(...) continues the experiment"
                )
            case "dead":
                self._bury(actor, failed.reason)
            case "broken":
                self._end_actor(actor, failed.reason)

    def _tend(self) -> None:
        """Do what is due by the clock."""
        now_s = time.monotonic()
        for actor in list(self._actors.values()):
            if actor.quits_by_s is not None and now_s > actor.quits_by_s:
                self._end_actor(actor, _EXPERIMENT_ENDED)
            elif actor.out_of_reach_s is not None:
                self._try_to_reach(actor, now_s)
        self._keeper.wake(now_s)
        if now_s - self._looked_s > _LOOK_S:
            self._looked_s = now_s
            self._look_after_the_missing(now_s)

    def _try_to_reach(self, actor: Actor, now_s: float) -> None:
        assert actor.out_of_reach_s is not None
        if now_s - actor.out_of_reach_s > _OUT_OF_REACH_S:
            self._end_actor(actor, f"its worker could not be reached for {_OUT_OF_REACH_S:g} s")
        elif now_s > actor.retry_s:
            actor.retry_s = now_s + _RETRY_S
            for number, (data, transfer) in actor.unconfirmed.items():
                self._cluster.order(actor.key, number, data, transfer)
            self._listen(actor)

    def _look_after_the_missing(self, now_s: float) -> None:
        """See to actors that should have been there long ago: perhaps their slot has lost its node."""
        for actor in list(self._actors.values()):
            is_late = not actor.is_here and now_s - actor.started_s > _LOOK_S
            if is_late and self._cluster.node_of(actor.slot.number) is None:
                self._withdraw(actor)
        if now_s - self._opened_s > _PATIENCE_S:
            self._keeper.tell()

    def _withdraw(self, actor: Actor) -> None:
        """Take back what an actor was to do that never came to be, and have another do it."""
        assignment, actor.assignment = actor.assignment, None
        if assignment is not None:
            self._let_go(actor, assignment.trial)
            self._queue.append(assignment)
        self._end_actor(actor, "")

    def _bury(self, actor: Actor, cause: str) -> None:
        """An actor is dead: say that its trial has lost it, after what is known of its slot."""
        if self._actors.pop(actor.key, None) is None:
            return
        self._set_training(actor, trains=False)
        self._slots.live(actor.slot, -1)
        if not self._closing:
            self._keeper.check(actor.slot)
        assignment = actor.assignment
        if assignment is not None and self._holder.get(assignment.trial) is actor:
            self._let_go(actor, assignment.trial)
            self._messages.append(Lost(trial=assignment.trial, reason=actor.killed_for or cause))
        if not self._closing:
            self._serve_queue()

    # The end

    def close(self, grace_s: float) -> None:
        self._closing = True
        self._queue.clear()
        try:
            self._wait_for_all(grace_s)
        finally:
            for actor in list(self._actors.values()):
                self._end_actor(actor, _EXPERIMENT_ENDED)
            self._cluster.close()

    def _wait_for_all(self, grace_s: float) -> None:
        deadline_s = time.monotonic() + grace_s
        for actor in list(self._actors.values()):
            if not actor.is_here:
                self._end_actor(actor, _EXPERIMENT_ENDED)
                continue
            if actor.assignment is not None:
                self._order(actor, ReleaseOrder(trial=actor.assignment.trial))
            self._dismiss(actor, grace_s if actor.assignment is not None else _QUIT_S)
        while self._actors and (left_s := deadline_s - time.monotonic()) > 0:
            self._attend(left_s)
