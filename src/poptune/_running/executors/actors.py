"""Runs trials in the actors of a cluster. What the cluster is, only ``executors/ray.py`` knows."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import msgspec

from poptune._base.places import checkpoint_path
from poptune._base.types import TrialId
from poptune._running.executors.actor import OUT_OF_REACH_S, Actor, Savers
from poptune._running.executors.base import Work
from poptune._running.executors.cluster import (
    CallFailed,
    Cluster,
    ClusterEvent,
    Greeted,
    Obeyed,
    Said,
    SlotReady,
)
from poptune._running.executors.desk import Desk, Hire, Task, Tell
from poptune._running.executors.node_slots import NodeSlots, Residents, SlotKeeper
from poptune._training.memory import CHECK_S, LEAST_FREE
from poptune._training.protocol import (
    Assignment,
    Capacity,
    Crowded,
    Message,
    News,
    Order,
    ProceedOrder,
    QuitOrder,
    Result,
)
from poptune._training.remote_worker import Greeting, Heard
from poptune._training.transfers import Transfer
from poptune._training.versions import versions
from poptune.errors import ExecutorError

_PAUSE_S = 0.1
"""How long to wait for events before the clock is looked at."""
_QUIT_S = 0.5
"""How long an actor may take to quit that has nothing to leave."""
_LOOK_S = 2.0
"""How often it is asked about what should have happened long ago."""
_PATIENCE_S = 10.0
_EXPERIMENT_ENDED = "the experiment has ended"
_TOLD_TO_END = "its process was told to end (SIGTERM), as machines do that are about to be taken away"


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
        self._versions = versions()
        self._actors: dict[int, Actor] = {}
        books = NodeSlots(slots, exclusive=exclusive)
        self._residents = Residents(books)
        self._desk = Desk(self._residents, reuse_workers=work.reuse_workers)
        self._savers = Savers()
        self._opened_s = self._looked_s = time.monotonic()
        self._memory_checked_s = 0.0
        self._grace_s = _QUIT_S
        """How long an actor may take to quit that has a trial's code to leave first."""
        self._keeper = SlotKeeper(
            cluster,
            books,
            told=work.slots,
            say=lambda ready: self._desk.say(Capacity(slots=ready)),
        )

    # Orders

    def assign(self, assignment: Assignment) -> None:
        self._carry_out(self._desk.assign(assignment))

    def proceed(self, order: ProceedOrder) -> None:
        self._carry_out(self._desk.proceed(order))

    def release(self, trial: TrialId) -> None:
        self._carry_out(self._desk.release(trial))

    def kill(self, trial: TrialId, reason: str) -> None:
        if (key := self._desk.holder(trial)) is not None:
            self._end(self._actors[key], reason)

    def _carry_out(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            match task:
                case Hire(key):
                    self._start(key)
                case Tell(key, order):
                    self._order(key, order)

    def _start(self, key: int) -> None:
        slot = self._residents.home(key)
        self._actors[key] = Actor(self._cluster, key, time.monotonic(), slot.node)
        self._cluster.start(key, slot.number)

    def _order(self, key: int, order: Order) -> None:
        if (actor := self._actors.get(key)) is None:
            return  # it has died meanwhile
        if isinstance(order, QuitOrder):
            is_free = self._desk.assignment(key) is None
            actor.quits_by_s = time.monotonic() + (_QUIT_S if is_free else self._grace_s)
        actor.order(order, self._transfer(order, actor) if isinstance(order, Assignment) else None)

    def _transfer(self, assignment: Assignment, to: Actor) -> Transfer | None:
        """Return the checkpoint that an assignment names, if another node's actor has it in its hands."""
        path = assignment.checkpoint
        if path is None or (saver := self._savers.of(path)) is None:
            return None
        donor = self._actors.get(saver)
        if donor is None or donor.out_of_reach_s is not None or donor.node == to.node:
            return None
        return Transfer(path, self._cluster.pack(donor.key, path))

    # Messages

    def poll(self, timeout_s: float) -> Sequence[Message | News]:
        if not self._desk.has_said and not self._desk.is_closing:
            self._attend(timeout_s)
        return self._desk.collect()

    def _attend(self, timeout_s: float) -> None:
        for event in self._cluster.events(min(timeout_s, _PAUSE_S)):
            self._take_event(event)
        self._tend()

    def _take_event(self, event: ClusterEvent) -> None:
        if isinstance(event, SlotReady):
            if not self._desk.is_closing and self._keeper.settle(event.number):
                self._carry_out(self._desk.serve())
            return
        if (actor := self._actors.get(event.key)) is None:
            return
        match event:
            case Said(heard=heard):
                self._hear(actor, heard)
            case Obeyed(number=number):
                actor.confirm(number)
            case Greeted(greeting=greeting):
                self._welcome(actor, greeting)
            case CallFailed():
                self._take_failure(actor, event)

    def _welcome(self, actor: Actor, greeting: Greeting) -> None:
        actor.arrive(greeting, self._versions)
        self._residents.move(actor.key, greeting.node)

    def _hear(self, actor: Actor, heard: Heard) -> None:
        batch = heard.batch
        try:
            for message in actor.take(batch):
                if isinstance(message, Result) and message.checkpoint is not None:
                    self._note_saver(actor, message, message.checkpoint)
                self._carry_out(self._desk.hear(actor.key, message))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._end(actor, f"its worker said what is no message of a worker ({error})")
            return
        if batch.is_last:
            self._end(actor, _EXPERIMENT_ENDED)
        elif batch.leaves:
            self._keeper.rest(self._residents.home(actor.key), time.monotonic())
            self._end(actor, _TOLD_TO_END)
        else:
            actor.listen()
            self._watch_memory(actor, heard.memory_free)

    def _note_saver(self, actor: Actor, result: Result, number: int) -> None:
        if (assignment := self._desk.assignment(actor.key)) is not None:
            self._savers.note(result.trial, checkpoint_path(assignment.store, number), actor.key)

    def _watch_memory(self, actor: Actor, free: float | None) -> None:
        now_s = time.monotonic()
        if free is None or free > LEAST_FREE or now_s - self._memory_checked_s < CHECK_S:
            return
        self._memory_checked_s = now_s
        self._desk.say(Crowded(machine=str(actor.node)))

    # Losses

    def _take_failure(self, actor: Actor, failed: CallFailed) -> None:
        if failed.call == "listen":
            actor.is_asked = False
        match failed.kind:
            case "unreachable":
                actor.lose_touch(time.monotonic())
            case "never began":
                raise ExecutorError(
                    f"A worker must be able to begin, but it cannot: {failed.reason}. What the program needs "
                    "must be installed on every node, poptune among it; RayExecutor(runtime_env={'pip': "
                    "[...]}) can install it. Tuner.restore(...) continues the experiment"
                )
            case "dead":
                self._bury(actor, failed.reason)
            case "broken":
                self._end(actor, failed.reason)

    def _tend(self) -> None:
        """Do what is due by the clock."""
        now_s = time.monotonic()
        for actor in list(self._actors.values()):
            if actor.quits_by_s is not None and now_s > actor.quits_by_s:
                self._end(actor, _EXPERIMENT_ENDED)
            elif actor.is_given_up(now_s):
                self._end(actor, f"its worker could not be reached for {OUT_OF_REACH_S:g} s")
            else:
                actor.try_to_reach(now_s)
        self._keeper.wake(now_s)
        if now_s - self._looked_s > _LOOK_S:
            self._looked_s = now_s
            self._look_after_the_missing(now_s)

    def _look_after_the_missing(self, now_s: float) -> None:
        """See to actors that should have been there long ago: perhaps their slot has lost its node."""
        for actor in list(self._actors.values()):
            is_late = not actor.is_here and now_s - actor.started_s > _LOOK_S
            if is_late and self._cluster.node_of(self._residents.home(actor.key).number) is None:
                self._desk.withdraw(actor.key)
                self._end(actor, "it never came to be")
        if now_s - self._opened_s > _PATIENCE_S:
            self._keeper.tell()

    def _end(self, actor: Actor, reason: str) -> None:
        self._cluster.kill(actor.key)
        self._bury(actor, reason)

    def _bury(self, actor: Actor, cause: str) -> None:
        """An actor is dead: have that said after what is known of its slot."""
        if self._actors.pop(actor.key, None) is None:
            return
        if not self._desk.is_closing:
            self._keeper.check(self._residents.home(actor.key))
        self._carry_out(self._desk.bury(actor.key, cause))

    # The end

    def close(self, grace_s: float) -> None:
        self._grace_s = grace_s
        tasks = self._desk.close()
        try:
            for actor in list(self._actors.values()):
                if not actor.is_here:
                    self._end(actor, _EXPERIMENT_ENDED)
            self._carry_out(tasks)
            self._wait_for_all(time.monotonic() + grace_s)
        finally:
            for actor in list(self._actors.values()):
                self._end(actor, _EXPERIMENT_ENDED)
            self._cluster.close()

    def _wait_for_all(self, deadline_s: float) -> None:
        while self._actors and (left_s := deadline_s - time.monotonic()) > 0:
            self._attend(left_s)
