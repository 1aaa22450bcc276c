"""The books on actors, over a cluster that exists on paper only."""

import msgspec
import pytest

from poptune._base.types import TrialId
from poptune._running.executors import actors
from poptune._running.executors.actors import ActorWorkers
from poptune._running.executors.base import Work
from poptune._running.executors.cluster import CallFailed, Greeted, Obeyed, Said, SlotReady
from poptune._training.mailbox import Batch
from poptune._training.protocol import (
    Assignment,
    Capacity,
    Crowded,
    Idle,
    Lost,
    Order,
    ProceedOrder,
    QuitOrder,
    ReleaseOrder,
    Result,
    Terms,
)
from poptune._training.remote_worker import Greeting, Heard
from poptune._training.trainable import prepare
from poptune._training.transfers import Transfer
from poptune._training.versions import versions
from poptune._training.wire import framed
from poptune.errors import ExecutorError

A, B, C = TrialId("t_00000"), TrialId("t_00001"), TrialId("t_00002")


class PaperCluster:
    """Notes what it is asked for; what happens on it is what a test says."""

    def __init__(self, *nodes):
        self.nodes = list(nodes)
        self.happened = [SlotReady(number) for number, node in enumerate(nodes) if node]
        self.slots = {}
        self.orders = {}
        self.transfers = []
        self.killed = []
        self.awaited = []
        self.listening = []

    def await_slot(self, number):
        self.awaited.append(number)

    def node_of(self, number):
        return self.nodes[number]

    def start(self, key, slot):
        self.slots[key] = slot
        self.orders[key] = []
        self.happened.append(Greeted(key, Greeting(versions(), "machine", self.nodes[slot])))

    def begin(self, key):
        pass

    def order(self, key, number, data, transfer):
        self.orders[key].append((number, msgspec.msgpack.decode(data, type=Order)))
        if transfer is not None:
            self.transfers.append((key, transfer))

    def listen(self, key, heard):
        self.listening.append((key, heard))

    def pack(self, key, path):
        return f"{path} from {key}"

    def kill(self, key):
        self.killed.append(key)

    def events(self, timeout_s):
        happened, self.happened = self.happened, []
        return happened

    def close(self):
        pass

    def say(self, key, number, *messages, memory_free=None, **batch):
        frames = b"".join(framed(msgspec.msgpack.encode(message)) for message in messages)
        self.happened.append(Said(key, Heard(Batch(number, frames, **batch), memory_free)))


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now_s = 100.0

        def monotonic(self):
            return self.now_s

    clock = Clock()
    monkeypatch.setattr(actors, "time", clock)
    return clock


def workers_on(cluster, *, exclusive=False):
    terms = Terms(
        experiment_name="run",
        experiment_path="/run",
        stop={},
        stop_population={},
        time_attr="training_iteration",
        metric=None,
        require_attrs=False,
        lockstep=False,
        save_at_milestones=False,
        checkpoint_frequency=0,
        checkpoint_at_end=False,
        resources={"cpu": 1.0},
    )
    slots = len(cluster.nodes)
    work = Work(prepared=prepare(print), terms=terms, slots=slots)
    workers = ActorWorkers(cluster, work, slots=slots, exclusive=exclusive)
    workers.poll(0)
    return workers


def assignment(trial, **overrides):
    settings = {"checkpoint": None, "incarnation": 0, **overrides}
    return Assignment(
        trial=trial,
        name=trial,
        tag=trial,
        folder=trial,
        store=trial,
        config=b"",
        iteration=0,
        age=0.0,
        time_total_s=0.0,
        until=None,
        next_save=1,
        **settings,
    )


def result(trial, **overrides):
    settings = {"checkpoint": None, "waiting": False, "stop": "", **overrides}
    return Result(trial=trial, incarnation=0, iteration=1, metrics={}, **settings)


def kinds(orders):
    return [type(order) for _, order in orders]


def test_trials_are_spread_over_the_nodes_and_a_suspended_one_makes_room(clock):
    cluster = PaperCluster("a", "b")
    workers = workers_on(cluster)
    for trial in (A, B):
        workers.assign(assignment(trial))
    workers.poll(0)
    assert cluster.slots == {0: 0, 1: 1}
    cluster.say(1, 1, result(B, waiting=True))
    workers.poll(0)
    workers.assign(assignment(C))
    assert cluster.slots[2] == 1, "where nobody trains now"
    workers.proceed(ProceedOrder(trial=B, incarnation=0, until=None))
    assert kinds(cluster.orders[1]) == [Assignment, ProceedOrder]


def test_a_trial_waits_for_a_slot_that_has_no_node_yet(clock):
    cluster = PaperCluster(None)
    workers = workers_on(cluster)
    workers.assign(assignment(A))
    assert cluster.slots == {}
    cluster.nodes[0] = "a"
    cluster.happened.append(SlotReady(0))
    workers.poll(0)
    assert cluster.slots == {0: 0}
    assert kinds(cluster.orders[0]) == [Assignment]


def test_of_two_trials_one_waits_while_only_one_slot_has_a_node(clock):
    cluster = PaperCluster("a", None)
    workers = workers_on(cluster)
    for trial in (A, B):
        workers.assign(assignment(trial))
    assert cluster.slots == {0: 0}
    cluster.nodes[1] = "b"
    cluster.happened.append(SlotReady(1))
    workers.poll(0)
    assert cluster.slots == {0: 0, 1: 1}


def test_one_that_waits_for_room_gets_it_when_another_is_suspended(clock):
    cluster = PaperCluster("a", None)
    workers = workers_on(cluster)
    for trial in (A, B):
        workers.assign(assignment(trial))
    workers.poll(0)
    cluster.say(0, 1, result(A, waiting=True))
    workers.poll(0)
    assert cluster.slots == {0: 0, 1: 0}


def test_a_node_that_joins_is_told_as_a_slot_more(clock):
    cluster = PaperCluster("a", None)
    workers = workers_on(cluster)
    workers._keeper._told = 1
    cluster.nodes[1] = "b"
    cluster.happened.append(SlotReady(1))
    assert workers.poll(0) == [Capacity(slots=2)]


def test_a_dead_node_is_told_before_the_loss_of_its_trial(clock):
    cluster = PaperCluster("a", "b")
    workers = workers_on(cluster)
    workers.assign(assignment(A))
    workers.poll(0)
    cluster.nodes[0] = None
    cluster.happened.append(CallFailed(0, "listen", "dead", "its node is gone"))
    assert workers.poll(0) == [Capacity(slots=1), Lost(trial=A, reason="its node is gone")]
    assert cluster.awaited[-1] == 0
    workers.assign(assignment(A, incarnation=1))
    assert cluster.slots[1] == 1, "elsewhere"


def test_an_actor_that_never_came_since_its_node_died_gives_its_trial_back(clock):
    cluster = PaperCluster("a", "b")
    workers = workers_on(cluster)
    workers.assign(assignment(A))
    cluster.happened.clear()
    cluster.nodes[0] = None
    clock.now_s += 3
    assert workers.poll(0) == [Capacity(slots=1)]
    assert cluster.killed == [0]
    assert kinds(cluster.orders[1]) == [Assignment], "nothing was lost, so nothing is said"


def test_what_did_not_arrive_is_said_again_when_an_actor_is_in_reach_again(clock):
    cluster = PaperCluster("a")
    workers = workers_on(cluster)
    workers.assign(assignment(A))
    workers.poll(0)
    cluster.happened.append(CallFailed(0, "listen", "unreachable", "no route"))
    workers.poll(0)
    workers.proceed(ProceedOrder(trial=A, incarnation=0, until=3.0))
    assert len(cluster.orders[0]) == 1, "not while it is out of reach"
    clock.now_s += 1
    workers.poll(0)
    assert [number for number, _ in cluster.orders[0]] == [1, 1, 2]
    assert cluster.listening == [(0, 0), (0, 0)]
    cluster.happened.extend([Obeyed(0, 1), Obeyed(0, 2)])
    clock.now_s += 100
    assert workers.poll(0) == []
    assert cluster.killed == []


def test_an_actor_that_stays_out_of_reach_is_given_up(clock):
    cluster = PaperCluster("a")
    workers = workers_on(cluster)
    workers.assign(assignment(A))
    workers.poll(0)
    for _ in range(2):
        cluster.happened.append(CallFailed(0, "listen", "unreachable", "no route"))
        lost = workers.poll(0)
        clock.now_s += 30
    lost = workers.poll(0) or lost
    assert lost == [Lost(trial=A, reason="its worker could not be reached for 20 s")]
    assert cluster.killed == [0]


def test_a_batch_that_comes_twice_is_taken_in_once(clock):
    cluster = PaperCluster("a")
    workers = workers_on(cluster)
    workers.assign(assignment(A))
    workers.poll(0)
    cluster.say(0, 1, result(A))
    cluster.say(0, 1, result(A))
    assert workers.poll(0) == [result(A)]


def test_a_donors_checkpoint_is_sent_to_another_node_and_found_on_its_own(clock):
    cluster = PaperCluster("a", "b", "a")
    workers = workers_on(cluster)
    for trial in (A, B, C):
        workers.assign(assignment(trial))
    workers.poll(0)
    assert [cluster.nodes[cluster.slots[key]] for key in range(3)] == ["a", "b", "a"]
    cluster.say(0, 1, result(A, checkpoint=7))
    workers.poll(0)
    path = f"{A}/checkpoint_000007"
    workers.assign(assignment(B, incarnation=1, checkpoint=path))
    workers.assign(assignment(C, incarnation=1, checkpoint=path))
    assert cluster.transfers == [(1, Transfer(path, f"{path} from 0"))]


def test_an_actor_that_leaves_is_lost_with_its_cause_and_its_slot_rests(clock):
    cluster = PaperCluster("a", "b")
    workers = workers_on(cluster)
    workers.assign(assignment(A))
    workers.poll(0)
    cluster.say(0, 1, result(A, checkpoint=1), leaves=True)
    said, capacity, lost = workers.poll(0)
    assert said == result(A, checkpoint=1)
    assert capacity == Capacity(slots=1)
    assert "SIGTERM" in lost.reason
    workers.assign(assignment(A, incarnation=1))
    assert cluster.slots[1] == 1
    clock.now_s += 31
    workers.poll(0)
    assert cluster.awaited[-1] == 0


def test_a_machine_without_memory_is_told_but_not_each_time(clock):
    cluster = PaperCluster("a")
    workers = workers_on(cluster)
    workers.assign(assignment(A))
    workers.poll(0)
    cluster.say(0, 1, memory_free=0.05)
    cluster.say(0, 2, memory_free=0.05)
    assert workers.poll(0) == [Crowded(machine="a")]


def test_other_versions_end_the_run_before_it_begins(clock):
    cluster = PaperCluster("a")
    workers = workers_on(cluster)
    workers.assign(assignment(A))
    cluster.happened = [Greeted(0, Greeting({"Python": "2.7"}, "old", "a"))]
    with pytest.raises(ExecutorError, match=r"on old Python is .* in the program and 2\.7 in the worker"):
        workers.poll(0)


def test_workers_that_cannot_begin_end_the_run(clock):
    cluster = PaperCluster("a")
    workers = workers_on(cluster)
    workers.assign(assignment(A))
    cluster.happened = [CallFailed(0, "greet", "never began", "No module named 'poptune'")]
    with pytest.raises(ExecutorError, match="No module named 'poptune'"):
        workers.poll(0)


def test_closing_lets_trials_leave_their_code_and_then_ends_all(clock):
    cluster = PaperCluster("a", "b")
    workers = workers_on(cluster)
    for trial in (A, B):
        workers.assign(assignment(trial))
    workers.poll(0)
    cluster.say(0, 1, Idle(trial=A), is_last=True)
    cluster.happened.append(CallFailed(1, "listen", "dead", "too late"))
    workers.close(5.0)
    assert kinds(cluster.orders[0]) == [Assignment, ReleaseOrder, QuitOrder]
    assert workers.poll(0) == [Lost(trial=B, reason="too late")]
