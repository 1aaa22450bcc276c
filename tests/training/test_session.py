"""The session behind report(), with a line that is a list."""

from contextlib import contextmanager

import cloudpickle
import pytest

from poptune._keeping.checkpoints import Checkpoint, DirectoryStore
from poptune._training.protocol import Assignment, Idle, ProceedOrder, QuitOrder, ReleaseOrder, Result, Terms
from poptune._training.session import Reassigned, Released, Session, Unwinding
from poptune.errors import TrainableError


class Abandoned(BaseException):
    pass


class Line:
    """Orders that will come, and what was said."""

    def __init__(self):
        self.orders = []
        """Those that are there already at a report."""
        self.answers = []
        """Those that come while the session waits."""
        self.said = []

    def send(self, message):
        self.said.append(message)

    def receive(self):
        assert self.answers, "the session waits, but no order is to come"
        return self.answers.pop(0)

    def poll(self):
        return self.orders.pop(0) if self.orders else None

    def abandon(self, idle):
        self.said.append(idle)
        raise Abandoned


class Held:
    """Code that can be saved, and takes over another state if it is told so."""

    def __init__(self, config=dict, *, takes=True):
        self.config = config
        self.takes = takes
        self.taken = []

    @contextmanager
    def saved(self):
        yield Checkpoint.from_dict({"s": 1})

    def take_over(self):
        self.taken.append(self.config())
        return self.takes


def terms(path, **overrides):
    return Terms(
        **{
            "experiment_name": "run",
            "experiment_path": str(path),
            "stop": {},
            "stop_population": {},
            "time_attr": "training_iteration",
            "metric": None,
            "require_attrs": True,
            "lockstep": False,
            "save_at_milestones": False,
            "checkpoint_frequency": 0,
            "checkpoint_at_end": False,
            "resources": {},
            **overrides,
        }
    )


def assignment(**overrides):
    return Assignment(
        **{
            "trial": "a",
            "name": "train_a",
            "tag": "0",
            "folder": "train_a",
            "store": "train_a",
            "incarnation": 0,
            "config": cloudpickle.dumps({"lr": 1}),
            "checkpoint": None,
            "iteration": 0,
            "age": 0.0,
            "time_total_s": 0.0,
            "until": None,
            "next_save": 1,
            **overrides,
        }
    )


@pytest.fixture
def line():
    return Line()


@pytest.fixture
def make(line, tmp_path):
    def make(*, until=None, iteration=0, age=0.0, time_total_s=0.0, **overrides):
        mine = assignment(until=until, iteration=iteration, age=age, time_total_s=time_total_s)
        return Session(line, terms(tmp_path, **overrides), mine, DirectoryStore(tmp_path))

    return make


def test_a_report_before_the_milestone_does_not_wait(make, line):
    make(until=2).report({"x": 1})
    (result,) = line.said
    assert (result.iteration, result.waiting, result.stop, result.checkpoint) == (1, False, "", None)


def test_a_report_at_the_milestone_waits_for_the_order_that_is_its_own(make, line):
    session = make(until=1)
    line.answers = [
        ProceedOrder(trial="b", incarnation=0, until=9),
        ProceedOrder(trial="a", incarnation=5, until=9),
        ReleaseOrder(trial="b"),
        assignment(trial="b"),
        ProceedOrder(trial="a", incarnation=0, until=2),
    ]
    session.report({})
    assert line.said[0].waiting
    assert line.answers == []
    line.answers = [ProceedOrder(trial="a", incarnation=0, until=None)]
    session.report({})
    assert line.said[1].waiting, "the milestone is the new one"
    session.report({})
    assert not line.said[2].waiting, "and then there is none"


def test_in_lockstep_every_report_waits(make, line):
    session = make(lockstep=True)
    line.answers = [ProceedOrder(trial="a", incarnation=0, until=None)]
    session.report({})
    assert line.said[0].waiting


@pytest.mark.parametrize("order", [ReleaseOrder(trial="a"), QuitOrder()])
def test_an_order_to_leave_is_seen_at_the_next_report(make, line, order):
    session = make()
    line.orders = [order]
    with pytest.raises(Released):
        session.report({"x": 1})
    assert line.said == []
    assert isinstance(session.unwinding, Released)
    assert not issubclass(Unwinding, Exception)


def test_unwinding_is_repeated_once_and_then_the_worker_is_given_up(make, line):
    session = make()
    line.orders = [ReleaseOrder(trial="a")]
    for _ in range(2):
        with pytest.raises(Released):
            session.report({})
    with pytest.raises(Abandoned):
        session.report({})
    assert line.said == [Idle(trial="a", reusable=False, replace=False)]


def test_each_restart_may_be_swallowed_once(make, line):
    session = make()
    for incarnation in (1, 2, 3):
        line.orders = [assignment(incarnation=incarnation)]
        for _ in range(2):
            with pytest.raises(Reassigned) as restarted:
                session.report({})
        session.adopt(restarted.value.assignment)
    assert session.assignment.incarnation == 3
    assert session.unwinding is None


def test_after_a_restart_the_trial_stands_where_the_assignment_says(make, line):
    session = make()
    session.report({})
    session.adopt(
        assignment(
            incarnation=1,
            config=cloudpickle.dumps({"lr": 2}),
            iteration=7,
            age=7.0,
            time_total_s=100.0,
            next_save=4,
        )
    )
    session.report({}, Checkpoint.from_dict({}))
    result = line.said[-1]
    assert session.config == {"lr": 2}
    assert (result.incarnation, result.iteration, result.checkpoint) == (1, 8, 4)
    assert result.metrics["iterations_since_restore"] == 1
    assert 100.0 <= result.metrics["time_total_s"] < 101.0
    assert result.metrics["time_since_restore"] < 1.0


def test_every_result_is_completed(make, line, tmp_path):
    make().report({"x": 1, "training_iteration": 99, "done": True})
    metrics = line.said[0].metrics
    assert metrics["training_iteration"] == 1
    assert metrics["done"] is False
    assert {"timestamp", "time_this_iter_s", "time_total_s", "time_since_restore"} <= metrics.keys()


def test_where_the_trial_runs_is_told_with_the_first_result_after_each_assignment(make, line):
    session = make()
    session.report({})
    session.report({})
    session.adopt(assignment(incarnation=1))
    session.report({})
    first, second, third = (said.host for said in line.said)
    assert first.keys() == {"pid", "hostname", "node_ip"}
    assert (second, third) == (None, first)


@pytest.mark.parametrize(
    ("settings", "row", "done", "reason", "ends_all"),
    [
        ({"stop": {"x": 2}}, {"x": 2}, False, "x reached 2", False),
        ({"stop": {"x": 2, "training_iteration": 1}}, {"x": 1}, False, "training_iteration reached 1", False),
        ({"stop_population": {"x": 2}}, {"x": 3}, False, "x reached 2, which ends the population", True),
        ({}, {"x": 3}, True, "the trainable said that it is done", False),
    ],
)
def test_the_last_result_says_so_and_why(make, line, settings, row, done, reason, ends_all):
    session = make(until=1, **settings)
    with pytest.raises(Released):
        session.report(row, done=done)
    (result,) = line.said
    assert (result.stop, result.stops_population, result.waiting) == (reason, ends_all, False)
    assert result.metrics["done"] is True


@pytest.mark.parametrize(
    ("settings", "at_end", "saves"),
    [
        ({}, False, [False, False, False, False]),
        ({"save_at_milestones": True}, False, [False, True, False, False]),
        ({"checkpoint_frequency": 3}, False, [False, False, True, False]),
        ({"checkpoint_at_end": True}, True, [False, False, False, True]),
    ],
)
def test_an_object_is_saved_when_its_state_is_needed(make, line, settings, at_end, saves):
    session = make(until=2, **settings)
    session.hold(Held())
    line.answers = [ProceedOrder(trial="a", incarnation=0, until=None)]
    for step, saved in enumerate(saves, start=1):
        try:
            session.report({}, done=at_end and step == 4)
        except Released:
            assert step == 4
        assert (line.said[-1].checkpoint is not None) == saved, f"at iteration {step}"


def test_code_that_takes_over_in_place_is_not_left(make, line):
    session = make(until=1)
    held = Held(config=lambda: session.config)
    session.hold(held)
    line.answers = [assignment(incarnation=1, config=cloudpickle.dumps({"lr": 7}), iteration=4)]
    session.report({})
    session.report({})
    assert held.taken == [{"lr": 7}]
    assert [(said.incarnation, said.iteration) for said in line.said] == [(0, 1), (1, 5)]
    assert session.unwinding is None


def test_code_that_declines_to_take_over_is_left_after_all(make, line):
    session = make(until=1)
    session.hold(Held(takes=False))
    line.answers = [assignment(incarnation=1)]
    with pytest.raises(Reassigned) as restarted:
        session.report({})
    assert restarted.value.assignment.incarnation == 1
    assert session.is_reassigned


def test_checkpoints_are_numbered_and_on_disk_when_report_returns(make, line, tmp_path):
    session = make()
    for step in (1, 2):
        session.report({}, Checkpoint.from_dict({"step": step}))
    assert [result.checkpoint for result in line.said] == [1, 2]
    stored = DirectoryStore(tmp_path).open("train_a/checkpoint_000002", trusted=True)
    assert stored.to_dict() == {"step": 2}


@pytest.mark.parametrize(
    ("settings", "rows", "words"),
    [
        ({"metric": "accuracy"}, [{"loss": 1, "acc": 2}], r"lacks 'accuracy'.*\['acc', 'loss'\]"),
        ({"metric": "test/loss"}, [{"test": {"acc": 2}}], r"lacks 'test/loss'.*\['test/acc'\]"),
        ({"time_attr": "epoch"}, [{"loss": 1}], "lacks 'epoch'"),
        ({"time_attr": "epoch"}, [{"epoch": 2}, {"epoch": 1}], "never falls, got 1 after 2"),
        ({"time_attr": "at/epoch"}, [{"at": {"epoch": 2}}, {"at": {"epoch": 1}}], "got 1 after 2"),
        ({"time_attr": "epoch"}, [{"epoch": "2"}], "must be a number.*got '2'"),
        ({"time_attr": "epoch"}, [{"epoch": float("nan")}], "must be a number.*got nan"),
        ({"time_attr": "epoch"}, [{"epoch": float("inf")}], "must be a number.*got inf"),
        ({}, [{"x": object()}], "'x' must be"),
    ],
)
def test_a_result_that_cannot_be_used_is_an_error(make, line, settings, rows, words):
    session = make(**settings)
    for row in rows[:-1]:
        session.report(row)
    with pytest.raises(TrainableError, match=words):
        session.report(rows[-1])
    assert len(line.said) == len(rows) - 1


def test_a_refused_result_does_not_count(make, line):
    session = make(metric="x", time_attr="epoch")
    session.report({"x": 1, "epoch": 1})
    for refused in ({"epoch": 5}, {"x": 1, "epoch": 0}, {"x": object(), "epoch": 2}):
        with pytest.raises(TrainableError):
            session.report(refused)
    with pytest.raises(TrainableError, match="Checkpoint.from_dict"):
        session.report({"x": 1, "epoch": 4}, {"weights": 1})
    session.report({"x": 2, "epoch": 2})
    assert [result.iteration for result in line.said] == [1, 2]
    assert line.said[1].metrics["iterations_since_restore"] == 2


def test_without_require_attrs_a_result_may_lack_them(make, line):
    make(metric="x", time_attr="epoch", require_attrs=False).report({"y": 1})
    assert isinstance(line.said[0], Result)


def test_time_that_was_waited_does_not_count(make, line):
    session = make(until=1)
    clock = FakeClock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("poptune._training.trial_progress.time.perf_counter", clock)
        session.adopt(assignment(until=1))
        clock.now_s += 3.0

        def wait_long():
            clock.now_s += 100.0
            return ProceedOrder(trial="a", incarnation=0, until=None)

        line.receive = wait_long
        session.report({})
        clock.now_s += 2.0
        session.report({})
    assert [result.metrics["time_this_iter_s"] for result in line.said] == [3.0, 2.0]
    assert [result.metrics["time_total_s"] for result in line.said] == [3.0, 5.0]


class FakeClock:
    now_s = 1000.0

    def __call__(self):
        return self.now_s
