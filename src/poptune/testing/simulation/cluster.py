"""A population on a cluster, in virtual time: nodes that fail, states that travel, one controller.

The machine is the real one, and so are its decisions. What is modelled is what costs time around it:
messages, the controller's work, copies in memory, the network, the storage, the start of a process.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from poptune._base.places import checkpoint_path
from poptune._base.types import CheckpointId, Config, TrialId
from poptune._core.commands import Command, Proceed, Release, Start
from poptune._core.events import Input, Planned
from poptune._core.experiment import Experiment
from poptune._core.population import Trial
from poptune._core.scheduler import CheckpointRef, Load
from poptune.testing.simulation.accounts import Accounts, Spent
from poptune.testing.simulation.links import Link, transfer
from poptune.testing.simulation.workers import SimulatedWorkers

Train = Callable[[Trial, int, Config], float]
"""``(trial, iteration, config) -> score``: what an iteration of the simulated training yields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec:
    """What a cluster is like. Rates in bytes a second, times in seconds.

    Args:
        nodes: How many machines.
        slots_per_node: How many trials train on each at once.
        checkpoint_bytes: The size of a trial's state.
        iteration_s: How long an iteration takes on average; each is up to ``jitter`` shorter or longer.
        jitter: From 0 to 1.
        save_every: A state is saved with every so many iterations.
        message_s: How long a message is on its way.
        event_s: How long the controller works on a message: to receive, decide, journal and answer it.
        memory_rate: At which a state is copied within a node.
        link_rate: Of a node's network card, in each direction.
        storage_rate: Of the storage, all that is read and written together.
        failure_every_s: A node fails so often; ``None`` lets none fail.
        notice_s: After which it is known that a node has failed.
        repair_s: After which another node is there in its place.
        start_s: From a place on a node to the first line of the training's loop.
        seed: Of the jitter and of the failures.
    """

    nodes: int
    slots_per_node: int
    checkpoint_bytes: float = 1e9
    iteration_s: float = 30.0
    jitter: float = 0.1
    save_every: int = 10
    message_s: float = 1e-3
    event_s: float = 1e-4
    memory_rate: float = 5e9
    link_rate: float = 3.125e9
    storage_rate: float = 1e11
    failure_every_s: float | None = 60.0
    notice_s: float = 10.0
    repair_s: float = 300.0
    start_s: float = 20.0
    seed: int = 0

    @property
    def slots(self) -> int:
        """How many trials train at once while all nodes are there."""
        return self.nodes * self.slots_per_node


@dataclass(slots=True, eq=False)
class _Node:
    out: Link
    into: Link
    free: int
    alive: bool = True
    processes: set[_Process] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class _Process:
    """A trial's process; or, before it has a place, the wish for one."""

    trial: TrialId
    node: _Node | None = None
    doing: Spent = "starting"
    since_s: float = 0.0
    trained_s: float = 0.0
    """For how long it has trained since it last saved."""
    saved_s: float = 0.0
    """For how long it had trained before that, since the save before."""
    uploaded_s: float = 0.0
    """When its newest state is, or was, in the storage."""
    newest: CheckpointId | None = None


class Cluster:
    """An experiment on a simulated cluster.

    Args:
        spec: What the cluster is like.
        experiment: The machine, before its first event, with ``spec.slots`` slots.
        train: What an iteration yields.
    """

    def __init__(self, spec: ClusterSpec, experiment: Experiment, train: Train) -> None:
        self.spec = spec
        self.experiment = experiment
        self.accounts = Accounts()
        self.now_s = 0.0
        needs = experiment.scheduler.needs
        self._workers = SimulatedWorkers(needs.time_attr, needs.metric or "score")
        self._train = train
        self._random = random.Random(spec.seed)
        self._nodes = [self._new_node() for _ in range(spec.nodes)]
        self._storage = Link(spec.storage_rate)
        self._processes: dict[TrialId, _Process] = {}
        self._queue: deque[tuple[_Process, Start]] = deque()
        self._roomy = deque(self._nodes)
        """Nodes that may have a free place, to be asked in turn."""
        self._held: dict[CheckpointId, _Node] = {}
        """In which node's memory a trial's newest state is."""
        self._controller_free_s = 0.0
        self._due: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self._numbers = count()

    def _new_node(self) -> _Node:
        return _Node(Link(self.spec.link_rate), Link(self.spec.link_rate), self.spec.slots_per_node)

    @property
    def storage_busy_s(self) -> float:
        """For how long the storage has worked."""
        return self._storage.busy_s(self.now_s)

    def run(self, first: Input, until_s: float) -> Accounts:
        """Handle the first event and all that follows up to a time; return the books."""
        if self.spec.failure_every_s is not None:
            self._at(self.spec.failure_every_s, self._fail_a_node)
        self._handle(first)
        while self._due and self._due[0][0] <= until_s:
            self.now_s, _, act, arguments = heapq.heappop(self._due)
            act(*arguments)
        self.now_s = until_s
        for process in self._processes.values():
            self._do(process, process.doing)
        return self.accounts

    def _at(self, time_s: float, act: Callable[..., None], *arguments: object) -> None:
        heapq.heappush(self._due, (time_s, next(self._numbers), act, arguments))

    # The controller

    def _tell(self, event: Input) -> None:
        """A message reaches the controller, and waits until it has worked on those before it."""
        begin_s = max(self.now_s, self._controller_free_s)
        self._controller_free_s = begin_s + self.spec.event_s
        self.accounts.controller_busy_s += self.spec.event_s
        self.accounts.happened["message"] += 1
        self._at(self._controller_free_s, self._handle, event)

    def _handle(self, event: Input) -> None:
        step = self.experiment.handle(event)
        self._workers.carry_out(step.commands)
        for record in step.events:
            if isinstance(record, Planned):
                decisions = record.plan.decisions
                self.accounts.happened["decision"] += len(decisions)
                copies = sum(isinstance(decision.source, Load) for decision in decisions)
                self.accounts.happened["exploit"] += copies
        for command in step.commands:
            self._at(self.now_s + self.spec.message_s, self._obey, command)

    def _obey(self, command: Command) -> None:
        match command:
            case Start():
                self._enter(command)
            case Proceed(trial=trial):
                self._go_on(self._processes.get(trial))
            case Release(trial=trial):
                self._leave(trial)
            case _:
                pass

    # Trials

    def _do(self, process: _Process, doing: Spent) -> None:
        self.accounts.spent_s[process.doing] += self.now_s - process.since_s
        process.doing, process.since_s = doing, self.now_s

    def _enter(self, start: Start) -> None:
        if start.resident:
            process = self._processes.get(start.trial)
            if process is not None and process.node is not None:
                self._answered(process)
                self._load(process, start)
            return
        before = self._processes.get(start.trial)
        process = _Process(start.trial, since_s=before.since_s if before else self.now_s)
        process.newest = before.newest if before else None
        self._processes[start.trial] = process
        self._queue.append((process, start))
        self._serve_queue()

    def _serve_queue(self) -> None:
        while self._queue and (node := self._node_with_room()):
            process, start = self._queue.popleft()
            node.free -= 1
            node.processes.add(process)
            process.node = node
            self._at(self.now_s + self.spec.start_s, self._load, process, start)

    def _node_with_room(self) -> _Node | None:
        while self._roomy:
            node = self._roomy[0]
            if node.alive and node.free:
                self._roomy.rotate(-1)
                return node
            self._roomy.popleft()
        return None

    def _load(self, process: _Process, start: Start) -> None:
        """A state comes to a trial, from wherever it is nearest."""
        if process.node is None:
            return
        self._do(process, "loading")
        process.trained_s = process.saved_s = 0.0
        if start.trial in self._workers.stuck:
            self._at(self.now_s + self.spec.message_s, self._stumble, process)
            return
        arrives_s = self.now_s
        if start.checkpoint is not None:
            arrives_s = self._bring(start.checkpoint, process.node)
        self._at(arrives_s, self._begin, process)

    def _bring(self, checkpoint: CheckpointRef, node: _Node) -> float:
        size, holder = self.spec.checkpoint_bytes, self._held.get(checkpoint.id)
        if holder is node:
            return self.now_s + size / self.spec.memory_rate
        if holder is not None:
            self.accounts.send("exploit", size)
            return transfer(self.now_s, size, holder.out, node.into)
        self.accounts.send("fetch", size)
        return transfer(self.now_s, size, self._storage, node.into)

    def _stumble(self, process: _Process) -> None:
        if process.node is not None:
            self._remove(process)
            self._tell(self._workers.stumble(process.trial, time_s=self.now_s))

    def _go_on(self, process: _Process | None) -> None:
        if process is not None and process.node is not None:
            self._answered(process)
            self._begin(process)

    def _answered(self, process: _Process) -> None:
        self.accounts.answers_s.append(self.now_s - process.since_s)

    def _begin(self, process: _Process) -> None:
        if process.node is None:
            return
        self._do(process, "training")
        jitter = self.spec.jitter * (2 * self._random.random() - 1)
        self._at(self.now_s + self.spec.iteration_s * (1 + jitter), self._end_iteration, process)

    def _end_iteration(self, process: _Process) -> None:
        if process.node is None:
            return
        process.trained_s += self.now_s - process.since_s
        is_due = (self._workers.trials[process.trial].iteration + 1) % self.spec.save_every == 0
        if not is_due:
            self._report(process, save=False)
        else:
            self._do(process, "uploading")
            self._at(max(self.now_s, process.uploaded_s), self._copy, process)

    def _copy(self, process: _Process) -> None:
        if process.node is None:
            return
        self._do(process, "saving")
        self._at(self.now_s + self.spec.checkpoint_bytes / self.spec.memory_rate, self._saved, process)

    def _saved(self, process: _Process) -> None:
        """Its state is in the node's memory now, and on its way to the storage."""
        node = process.node
        if node is None:
            return
        self.accounts.send("upload", self.spec.checkpoint_bytes)
        process.uploaded_s = transfer(self.now_s, self.spec.checkpoint_bytes, node.out, self._storage)
        process.saved_s, process.trained_s = process.trained_s, 0.0
        if process.newest is not None:
            self._held.pop(process.newest, None)
        process.newest = CheckpointId(checkpoint_path(process.trial, self._next_save(process)))
        self._held[process.newest] = node
        self._report(process, save=True)

    def _next_save(self, process: _Process) -> int:
        return self._workers.trials[process.trial].next_save

    def _report(self, process: _Process, *, save: bool) -> None:
        held = self._workers.trials[process.trial]
        member = self.experiment.population[process.trial]
        score = self._train(member, held.iteration + 1, held.config)
        reported = self._workers.report(
            process.trial, score, save=save, time_s=self.now_s, duration_s=self.spec.iteration_s
        )
        self._at(self.now_s + self.spec.message_s, self._tell, reported)
        if reported.waiting:
            self._do(process, "deciding")
        else:
            self._begin(process)

    def _leave(self, trial: TrialId) -> None:
        if (process := self._processes.get(trial)) is not None:
            self._remove(process)
            self._serve_queue()

    def _remove(self, process: _Process) -> None:
        self._do(process, "starting")
        if (node := process.node) is not None:
            process.node = None
            node.processes.discard(process)
            node.free += 1
            self._roomy.append(node)

    # Failures

    def _fail_a_node(self) -> None:
        assert self.spec.failure_every_s is not None
        self._at(self.now_s + self.spec.failure_every_s, self._fail_a_node)
        place = self._random.randrange(len(self._nodes))
        node = self._nodes[place]
        if not node.alive:
            return
        self.accounts.happened["node failure"] += 1
        node.alive = False
        died = sorted(node.processes, key=lambda process: process.trial)
        for process in died:
            self._lose(process)
        self._held = {name: holder for name, holder in self._held.items() if holder is not node}
        self._at(self.now_s + self.spec.notice_s, self._notice, died)
        self._at(self.now_s + self.spec.repair_s, self._replace, place)

    def _lose(self, process: _Process) -> None:
        """A trial's process is gone, and what it had not saved, or what had not left the node."""
        undone_s = process.trained_s
        if process.newest is not None and process.uploaded_s > self.now_s:
            undone_s += process.saved_s
            number = int(process.newest.rpartition("_")[2])
            folder = self.experiment.population[process.trial].spec.checkpoints_folder
            self._workers.damaged.add(checkpoint_path(folder, number))
            self.accounts.happened["state lost"] += 1
        self._do(process, "starting")
        self.accounts.undo(undone_s)
        process.node = None

    def _notice(self, died: Sequence[_Process]) -> None:
        for process in died:
            if process.trial in self._workers.trials:
                self.accounts.happened["trial failure"] += 1
                self._tell(self._workers.fail(process.trial, time_s=self.now_s))

    def _replace(self, place: int) -> None:
        self._nodes[place] = self._new_node()
        self._roomy.append(self._nodes[place])
        self._serve_queue()
