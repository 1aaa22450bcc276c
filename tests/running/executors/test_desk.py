"""The books that all workers are kept in, without any."""

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from poptune._base.types import TrialId
from poptune._running.executors.desk import Desk, Hire, Tell
from poptune._running.executors.room import Boundless
from poptune._training.protocol import (
    Assignment,
    CodeFailed,
    CodeReturned,
    Crowded,
    Idle,
    Lost,
    Output,
    ProceedOrder,
    QuitOrder,
    ReleaseOrder,
    Result,
)

A, B, C = TRIALS = [TrialId(f"t_{number}") for number in range(3)]


def assignment(trial, incarnation=0):
    return Assignment(
        trial=trial,
        name=trial,
        tag=trial,
        folder=trial,
        store=trial,
        incarnation=incarnation,
        config=b"",
        checkpoint=None,
        iteration=0,
        age=0.0,
        time_total_s=0.0,
        until=None,
        next_save=1,
    )


def result(trial, *, waiting=False, stop=""):
    return Result(
        trial=trial, incarnation=0, iteration=1, metrics={}, checkpoint=None, waiting=waiting, stop=stop
    )


def returned(trial):
    return CodeReturned(trial=trial, incarnation=0)


def proceed(trial):
    return ProceedOrder(trial=trial, incarnation=0, until=None)


class PaperRoom:
    """Two places, here and there, in each of which so many may train; a new worker comes to the emptier."""

    def __init__(self, here=1, there=0):
        self.places = {"here": here, "there": there}
        self.workers = {}
        self.training = set()

    def left(self, place):
        return self.places[place] - sum(self.workers[key] == place for key in self.training)

    def has_more(self):
        return max(map(self.left, self.places)) > 0

    def enter(self, key):
        if self.has_more():
            self.workers[key] = max(self.places, key=self.left)
            return True
        return False

    def leave(self, key):
        assert key not in self.training
        del self.workers[key]

    def train(self, key, *, trains):
        assert trains != (key in self.training)
        (self.training.add if trains else self.training.remove)(key)

    def fits(self, key):
        return self.left(self.workers[key]) > 0


def desk(room=None, *, reuse_workers=True):
    return Desk(room or Boundless(), reuse_workers=reuse_workers)


def test_a_trial_goes_to_the_worker_that_holds_it_then_to_a_free_one_then_to_a_new_one():
    books = desk()
    assert books.assign(assignment(A)) == [Hire(0), Tell(0, assignment(A))]
    assert books.assign(assignment(A, 1)) == [Tell(0, assignment(A, 1))]
    assert books.assign(assignment(B)) == [Hire(1), Tell(1, assignment(B))]
    books.hear(0, Idle(trial=A))
    assert books.assign(assignment(C)) == [Tell(0, assignment(C))]
    assert (books.holder(A), books.holder(B), books.holder(C)) == (None, 1, 0)


def test_as_many_wait_as_workers_leave_and_one_that_is_released_waits_no_more():
    books = desk()
    books.assign(assignment(A))
    assert books.release(A) == (Tell(0, ReleaseOrder(trial=A)),)
    assert books.assign(assignment(B)) == []
    assert books.assign(assignment(C)) == [Hire(1), Tell(1, assignment(C))]
    assert books.release(B) == ()
    assert books.hear(0, Idle(trial=A)) == []


def test_orders_for_trials_that_nobody_holds_are_nothing_to_do():
    books = desk()
    assert (books.proceed(proceed(A)), books.release(A), books.holder(A)) == ((), (), None)


@pytest.mark.parametrize(
    "said", [result(A, stop="over"), returned(A), CodeFailed(trial=A, incarnation=0, error="")]
)
def test_a_worker_that_has_said_its_last_about_a_trial_does_not_lose_it_any_more(said):
    books = desk()
    books.assign(assignment(A))
    assert list(books.hear(0, said)) == []
    assert (books.holder(A), books.assignment(0)) == (None, assignment(A))
    assert books.bury(0, "killed") == ()
    assert books.collect() == [said]


def test_a_loss_is_said_once_and_after_all_that_the_worker_has_said():
    books = desk()
    books.assign(assignment(A))
    books.retire(0)
    books.hear(0, result(A))
    books.say(Output(trial=A, stream="stdout", line="the end"))
    books.bury(0, "killed")
    said = [result(A), Output(trial=A, stream="stdout", line="the end"), Lost(trial=A, reason="killed")]
    assert books.has_said
    assert books.collect() == said
    assert not books.has_said


def test_the_dead_get_nothing_to_do_though_they_have_said_that_they_are_free():
    books = desk()
    books.assign(assignment(A))
    books.release(A)
    books.assign(assignment(B))
    books.retire(0)
    assert books.hear(0, Idle(trial=A)) == [Hire(1), Tell(1, assignment(B))]


def test_what_could_not_be_done_in_a_worker_is_done_by_another():
    books = desk()
    books.assign(assignment(A))
    books.assign(assignment(A, 1))
    assert books.hear(0, Idle(trial=A, reusable=False, replace=True)) == [Tell(0, QuitOrder())]
    assert books.bury(0, "it has quit") == [Hire(1), Tell(1, assignment(A, 1))]
    assert books.collect() == []


def test_what_a_worker_that_never_came_was_to_do_is_done_by_another_and_nothing_is_lost():
    books = desk()
    books.assign(assignment(A))
    books.withdraw(0)
    assert books.bury(0, "its node is gone") == [Hire(1), Tell(1, assignment(A))]
    assert books.collect() == []


def test_workers_that_may_not_be_used_again_quit():
    books = desk(reuse_workers=False)
    books.assign(assignment(A))
    assert books.hear(0, Idle(trial=A)) == [Tell(0, QuitOrder())]
    assert books.assign(assignment(B)) == [], "until that one is gone"
    assert books.bury(0, "it has quit") == [Hire(1), Tell(1, assignment(B))]


def test_a_worker_speaks_for_its_trial_and_then_for_the_one_that_it_has_left():
    books = desk()
    books.say(Crowded(machine="m"))
    books.assign(assignment(A))
    with pytest.raises(msgspec.ValidationError, match="about trial 't_1', which it does not train"):
        books.hear(0, result(B))
    books.hear(0, Idle(trial=A))
    assert books.speaks_for(0) == A
    assert books.collect() == [Crowded(machine="m")]


def test_whoever_waits_for_an_answer_makes_room_for_another():
    books = desk(PaperRoom())
    books.assign(assignment(A))
    assert books.assign(assignment(B)) == []
    assert books.hear(0, result(A, waiting=True)) == [Hire(1), Tell(1, assignment(B))]


def test_a_free_worker_where_there_is_no_room_makes_way_for_one_where_there_is():
    room = PaperRoom(here=2)
    books = desk(room)
    for trial in (A, B):
        books.assign(assignment(trial))
    books.hear(0, Idle(trial=A))
    room.places |= {"here": 1}
    assert books.assign(assignment(C)) == []
    room.places |= {"there": 1}
    assert books.serve() == [Tell(0, QuitOrder())]
    assert books.bury(0, "it has quit") == [Hire(2), Tell(2, assignment(C))]
    assert room.workers == {1: "here", 2: "there"}


def test_closing_has_all_code_left_and_hires_nobody():
    books = desk(PaperRoom(here=2))
    for trial in TRIALS:
        books.assign(assignment(trial))
    books.hear(0, Idle(trial=A))
    books.collect()
    quits = [Tell(key, QuitOrder()) for key in (0, 1)]
    assert books.close() == [
        Tell(0, ReleaseOrder(trial=C)),
        quits[0],
        Tell(1, ReleaseOrder(trial=B)),
        quits[1],
    ]
    assert list(books.hear(1, Idle(trial=B, replace=True))) == []
    assert books.bury(0, "it has quit") == ()
    assert books.collect() == [Lost(trial=C, reason="it has quit")]


TRIAL = st.sampled_from(TRIALS)


class Interleavings(RuleBasedStateMachine):
    """Orders, words and deaths in any order: no trial is forgotten, and nobody is given what he cannot do."""

    def __init__(self):
        super().__init__()
        self.room = PaperRoom(here=2)
        self.desk = desk(self.room)
        self.told = {}
        """What each living worker has been told, and not done yet."""
        self.wanted = {}
        """The newest assignment of each trial that is to be trained."""

    def carry_out(self, tasks):
        for task in tasks:
            if isinstance(task, Hire):
                assert task.key not in self.told
                self.told[task.key] = []
                continue
            orders = self.told[task.key]
            if isinstance(task.order, Assignment):
                assert QuitOrder() not in orders, "one that quits trains no more"
                assert self.trial_of(task.key) in {None, task.order.trial}, "one trial after another"
            orders.append(task.order)

    def assignments(self, key):
        return [order for order in self.told[key] if isinstance(order, Assignment)]

    def trial_of(self, key):
        return next((order.trial for order in self.assignments(key)), None)

    def holds(self, key):
        return self.trial_of(key) is not None and self.desk.holder(self.trial_of(key)) == key

    def is_leaving(self, key):
        return QuitOrder() in self.told[key] or (self.trial_of(key) is not None and not self.holds(key))

    def waiting(self):
        return [trial for trial in self.wanted if self.desk.holder(trial) is None]

    def draw_one_that_trains(self, data):
        return data.draw(st.sampled_from([key for key in self.told if self.assignments(key)]))

    @rule(trial=TRIAL)
    def assign(self, trial):
        holder = self.desk.holder(trial)
        if trial in self.wanted and holder is None:
            return  # it waits for a worker; nothing more is decided about it until it has one
        before = self.wanted.get(trial)
        self.wanted[trial] = assignment(trial, before.incarnation + 1 if before else 0)
        tasks = self.desk.assign(self.wanted[trial])
        assert holder is None or tasks == [Tell(holder, self.wanted[trial])]
        self.carry_out(tasks)

    @rule(trial=TRIAL)
    def release(self, trial):
        self.wanted.pop(trial, None)
        self.carry_out(self.desk.release(trial))

    @rule(trial=TRIAL)
    def proceed(self, trial):
        self.carry_out(self.desk.proceed(proceed(trial)))

    @precondition(lambda self: any(map(self.assignments, self.told)))
    @rule(data=st.data(), waiting=st.booleans())
    def report(self, data, waiting):
        key = self.draw_one_that_trains(data)
        said = result(self.trial_of(key), waiting=waiting)
        self.carry_out(self.desk.hear(key, said))
        assert self.desk.collect() == [said]

    @precondition(lambda self: any(map(self.assignments, self.told)))
    @rule(data=st.data(), fails_to_be_left=st.booleans(), reusable=st.booleans())
    def leave(self, data, fails_to_be_left, reusable):
        """Leave a trial's code: since it was released, or at its end, or to have another worker enter it."""
        key = self.draw_one_that_trains(data)
        trial, replace = self.trial_of(key), False
        if self.holds(key):
            replace = fails_to_be_left and len(self.assignments(key)) > 1
            if not replace:
                del self.wanted[trial]
                self.carry_out(self.desk.hear(key, returned(trial)))
                assert self.desk.collect() == [returned(trial)]
        self.told[key] = [order for order in self.told[key] if order == QuitOrder()]
        self.carry_out(self.desk.hear(key, Idle(trial=trial, reusable=reusable, replace=replace)))

    @precondition(lambda self: self.told)
    @rule(data=st.data(), never_came=st.booleans())
    def die(self, data, never_came):
        key = data.draw(st.sampled_from(list(self.told)))
        lost = []
        if self.holds(key) and never_came:
            self.desk.withdraw(key)
        elif self.holds(key):
            del self.wanted[self.trial_of(key)]
            lost = [Lost(trial=self.trial_of(key), reason="killed")]
        self.end(key)
        assert self.desk.collect() == lost

    def end(self, key):
        del self.told[key]
        self.carry_out(self.desk.bury(key, "killed"))

    @rule(here=st.integers(0, 3), there=st.integers(0, 3))
    def change_room(self, here, there):
        self.room.places = {"here": here, "there": there}
        self.carry_out(self.desk.serve())

    @invariant()
    def the_room_knows_whoever_lives(self):
        assert self.room.workers.keys() == self.told.keys()

    @invariant()
    def whoever_holds_a_trial_was_given_its_newest_assignment(self):
        for trial, newest in self.wanted.items():
            if (key := self.desk.holder(trial)) is not None:
                assert self.desk.assignment(key) == newest
                assert self.assignments(key)[-1] == newest

    @invariant()
    def nobody_waits_without_a_reason(self):
        leaving = sum(map(self.is_leaving, self.told))
        assert len(self.waiting()) <= leaving or not self.room.has_more()

    def teardown(self):
        """Where there is room, and all that leave are gone, each trial that is wanted has a worker."""
        self.room.places = {"here": len(TRIALS), "there": len(TRIALS)}
        self.carry_out(self.desk.serve())
        for key in [key for key in self.told if self.is_leaving(key)]:
            self.end(key)
        assert self.waiting() == []


Interleavings.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
test_whatever_happens_in_whatever_order_no_trial_is_forgotten = Interleavings.TestCase
