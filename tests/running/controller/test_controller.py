"""The loop, with workers that are a list of messages."""

import re
from collections import deque

import cloudpickle
import pytest

from poptune._base.types import TrialStatus
from poptune._core.events import Completed, Created, Failed, Left, PopulationStopped
from poptune._core.experiment import Experiment
from poptune._core.retries import Retries
from poptune._core.settings import Settings
from poptune._core.trial_spec import TrialSpec
from poptune._keeping.journal import MemoryJournal
from poptune._running.controller import Controller, Limits
from poptune._running.controller import controller as module
from poptune._running.controller.cleaning import Cleaning
from poptune._running.controller.effects import Effects
from poptune._training.protocol import CodeFailed, CodeReturned, Idle, Lost, Output, Result
from poptune.errors import PoptuneWarning
from poptune.schedulers import FIFOScheduler, PopulationBasedTraining
from poptune.stoppers import FunctionStopper


class FakeWorkers:
    """Says what the script has, one list of messages a poll; writes down what it is told."""

    def __init__(self, story):
        self.story = story
        self.script = deque()
        self.last_words = []
        self.closed = False

    def assign(self, assignment):
        self.story.append(("assign", assignment.trial, assignment.incarnation, assignment.checkpoint))

    def proceed(self, order):
        self.story.append(("proceed", order.trial, order.incarnation))

    def release(self, trial):
        self.story.append(("release", trial))

    def kill(self, trial, reason):
        self.story.append(("kill", trial, reason))

    def poll(self, timeout_s):
        if self.closed:
            return self.last_words
        said = self.script.popleft()
        return said() if callable(said) else said

    def close(self, grace_s):
        self.closed = True
        self.story.append(("close",))


class ToldJournal(MemoryJournal):
    def __init__(self, story):
        super().__init__()
        self.story = story

    def append(self, events):
        super().append(events)
        self.story.extend(("journal", type(event).__name__) for event in events)

    def sync(self):
        super().sync()
        self.story.append(("sync",))


class FakeStore:
    def __init__(self, story):
        self.story = story

    def delete(self, path):
        self.story.append(("delete", path))

    def sweep(self, known):
        self.story.append(("sweep",))


class FakeDisplay:
    def __init__(self, story, name="display"):
        self.story, self.name, self.lines = story, name, []
        self.idles = 0

    def observe(self, events, population):
        self.story.extend((self.name, type(event).__name__) for event in events)

    def output(self, trial, stream, line):
        self.lines.append((trial, stream, line))

    def tick(self, experiment):
        pass

    def idle(self):
        self.idles += 1


class World:
    def __init__(self, trials=2, *, scheduler=None, stoppers=(), time_budget_s=None, **settings):
        self.story = []
        self.workers = FakeWorkers(self.story)
        self.journal = ToldJournal(self.story)
        self.display = FakeDisplay(self.story)
        self.callback = FakeDisplay(self.story, "callback")
        self.experiment = Experiment(scheduler or FIFOScheduler(), Settings(**{"slots": 2, **settings}))
        names = "abcd"[:trials]
        self.first = self.experiment.handle(
            Created(
                time_s=0.0,
                name="run",
                trainable="train",
                seed=0,
                metric="x",
                mode="max",
                time_attr="training_iteration",
                trials=tuple(
                    TrialSpec(id=name, index=index, name=name, tag=name, folder=name, config={"lr": index})
                    for index, name in enumerate(names)
                ),
            )
        )
        self.journal.append(self.first.events)
        cleaning = Cleaning(self.experiment.population, FakeStore(self.story), self.journal)
        self.controller = Controller(
            experiment=self.experiment,
            journal=self.journal,
            workers=self.workers,
            effects=Effects(population=self.experiment.population, workers=self.workers, cleaning=cleaning),
            cleaning=cleaning,
            callbacks=[self.callback],
            observers=[],
            listeners=[],
            display=self.display,
            limits=Limits(stoppers=stoppers, time_budget_s=time_budget_s),
        )

    def run(self, *script):
        self.workers.script.extend(script)
        return self.controller.run(self.first)

    def told(self, *kinds):
        return [entry for entry in self.story if entry[0] in kinds]

    def status(self, trial):
        return self.experiment.population[trial].status


def result(trial, iteration, *, incarnation=0, x=1.0, checkpoint=None, waiting=False, stop="", **overrides):
    return Result(
        trial=trial,
        incarnation=incarnation,
        iteration=iteration,
        metrics={"x": x, "training_iteration": iteration, "time_total_s": float(iteration)},
        checkpoint=checkpoint,
        waiting=waiting,
        stop=stop,
        **overrides,
    )


def returned(trial, incarnation=0):
    return CodeReturned(trial=trial, incarnation=incarnation)


def test_a_run_ends_when_all_trials_have():
    world = World()
    assert world.run([result("a", 1)], [], [returned("a"), Idle(trial="a")], [result("b", 1), returned("b")])
    assert world.told("assign") == [("assign", "a", 0, None), ("assign", "b", 0, None)]
    assert isinstance(list(world.journal.read())[-1], Completed)
    assert world.story.index(("close",)) < world.story.index(("journal", "Completed"))
    assert world.story[-1] == ("display", "Completed")


def test_what_a_trial_tells_once_is_in_each_of_its_results():
    world = World(1)
    host = {"pid": 7, "hostname": "here"}
    world.run([result("a", 1, host=host)], [result("a", 2)], [returned("a")])
    rows = [event.metrics for event in world.journal.results("a")]
    assert [(row["trial_id"], row["pid"], row["hostname"]) for row in rows] == [("a", 7, "here")] * 2
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", row["date"]) for row in rows)


def test_everything_is_in_the_journal_before_it_is_acted_on():
    pbt = PopulationBasedTraining(
        time_attr="training_iteration", perturbation_interval=1, hyperparam_mutations={"lr": [0, 1]}
    ).for_metric("x", "max")
    world = World(scheduler=pbt, retries=Retries(per_trial=1))
    world.run(
        [result("a", 1, x=2.0, checkpoint=1, waiting=True)],
        [result("b", 1, x=1.0, checkpoint=1, waiting=True)],
        [CodeFailed(trial="a", incarnation=0, error="boom")],
        [result("a", 2, incarnation=1, stop="enough"), result("b", 2, incarnation=1, stop="enough")],
    )
    acts = [entry for entry in world.story if entry[0] != "display"]
    assert acts[acts.index(("journal", "Reported")) :][:4] == [
        ("journal", "Reported"),
        ("journal", "Planned"),
        ("callback", "Reported"),
        ("callback", "Planned"),
    ]
    assert ("assign", "b", 1, "a/checkpoint_000001") in acts, "the loser copies the other's checkpoint"
    assert acts.index(("assign", "b", 1, "a/checkpoint_000001")) > acts.index(("journal", "Planned"))
    assert ("assign", "a", 1, "a/checkpoint_000001") in acts, "a failed trial goes back to its checkpoint"
    failed = acts.index(("journal", "Failed"))
    assert acts[failed : failed + 2] == [("journal", "Failed"), ("journal", "Restarted")]
    assert failed < acts.index(("assign", "a", 1, "a/checkpoint_000001"))


def test_a_turn_is_one_transaction():
    world = World()
    appended = []
    append = world.journal.append
    world.journal.append = lambda events: (appended.append(len(events)), append(events))
    world.run([result("a", 1), result("b", 1), returned("a"), returned("b")])
    assert appended == [6, 1]


def test_lost_is_a_failure_of_the_present_incarnation():
    world = World(retries=Retries(per_trial=2))
    lost = Lost(trial="a", reason="its worker process was ended by SIGKILL")
    world.run([lost], [lost], [lost], [returned("b")])
    assert [entry for entry in world.told("assign") if entry[1] == "a"] == [
        ("assign", "a", incarnation, None) for incarnation in range(3)
    ]
    failures = [event for event in world.journal.read() if isinstance(event, Failed)]
    assert [failure.incarnation for failure in failures] == [0, 1, 2]
    assert world.status("a") is TrialStatus.ERROR
    assert "SIGKILL" in world.experiment.population["a"].error


def test_a_failure_and_a_loss_in_one_turn_count_once():
    world = World(retries=Retries(per_trial=1))
    both = [CodeFailed(trial="a", incarnation=0, error="boom"), Lost(trial="a", reason="dead")]
    world.run(both, [returned("a", incarnation=1), returned("b")])
    assert world.experiment.population["a"].failures == 1
    assert world.status("a") is TrialStatus.TERMINATED


def test_a_message_of_an_older_incarnation_is_ignored():
    world = World(retries=Retries(per_trial=1))
    world.run(
        [CodeFailed(trial="a", incarnation=0, error="boom")],
        [result("a", 7, x=99.0), returned("a")],
        [result("a", 1, incarnation=1), returned("a", incarnation=1), returned("b")],
    )
    assert world.experiment.population["a"].iteration == 1
    assert world.experiment.population["a"].metrics["x"] == 1.0


def test_what_trials_print_is_heard_also_at_the_very_end():
    world = World(trials=1)
    world.workers.last_words = [
        Output(trial="a", stream="stderr", line="last words"),
        result("a", 2),
    ]
    world.run([Output(trial="a", stream="stdout", line="hello"), result("a", 1), returned("a")])
    assert world.display.lines == [("a", "stdout", "hello"), ("a", "stderr", "last words")]
    assert world.experiment.population["a"].iteration == 1


def test_a_stopper_overrules_a_trial_and_can_end_all():
    class AtTwo(FunctionStopper):
        def __init__(self):
            super().__init__(lambda trial, result: result["training_iteration"] >= 2)

        def stop_all(self):
            return seen >= {"a", "b"}

    seen = set()
    world = World(trials=3, slots=3, stoppers=[AtTwo()])
    world.run(
        [result("a", 1, waiting=True)],
        [result("a", 2, waiting=True)],
        lambda: seen.update("ab") or [result("b", 1, waiting=True)],
    )
    left = {event.trial: event.reason for event in world.journal.read() if isinstance(event, Left)}
    assert left == {"a": "AtTwo said so", "b": "AtTwo ended all", "c": "AtTwo ended all"}
    assert world.experiment.population["a"].metrics["done"] is True
    assert ("release", "a") in world.story
    assert {("release", "b"), ("release", "c")} <= set(world.story)


def test_a_stopper_that_raises_names_itself_and_the_workers_end():
    world = World(stoppers=[FunctionStopper(lambda trial, result: result["accuracy"] > 1)])
    with pytest.raises(KeyError) as caught:
        world.run([result("a", 1, waiting=True)])
    assert "FunctionStopper, at iteration 1 of trial a" in caught.value.__notes__[0]
    assert world.workers.closed
    assert not any(isinstance(event, Completed) for event in world.journal.read())


def test_stop_population_at_ends_all():
    world = World()
    world.run([result("a", 1, stop="x reached 1", stops_population=True)])
    assert {("release", "b")} == set(world.told("release")), "the first knows it already"
    assert world.status("b") is TrialStatus.TERMINATED


def test_a_time_budget_ends_all(monkeypatch):
    world = World(time_budget_s=60.0)
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(module, "available_memory", lambda: 1.0)

    def late():
        now[0] += 61.0
        return []

    assert world.run([result("a", 1)], late)
    (stopped,) = [event for event in world.journal.read() if isinstance(event, PopulationStopped)]
    assert stopped.reason == "the time budget of 60 s is spent"


def test_when_memory_runs_low_a_waiting_trial_is_evicted(monkeypatch):
    pbt = PopulationBasedTraining(
        time_attr="training_iteration", perturbation_interval=1, hyperparam_mutations={"lr": [0, 1]}
    ).for_metric("x", "max")
    now, free = [1000.0], [0.5]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(module, "available_memory", lambda: free[0])
    world = World(trials=3, slots=1, scheduler=pbt)

    def low():
        now[0] += 2.0
        free[0] = 0.01
        return []

    world.workers.script.extend(
        [
            [result("a", 1, checkpoint=1, waiting=True)],
            [result("b", 1, checkpoint=1, waiting=True)],
            [],
            low,
        ]
    )
    with pytest.raises(IndexError):  # the script ends here
        world.controller.run(world.first)
    assert world.told("release") == [("release", "a")], "the one that has waited longest"
    assert world.status("a") is TrialStatus.PENDING
    assert world.status("b") is TrialStatus.PAUSED


def test_warnings_reach_the_user():
    pbt = PopulationBasedTraining(
        time_attr="training_iteration", perturbation_interval=1, hyperparam_mutations={"lr": [0, 1]}
    ).for_metric("x", "max")
    world = World(scheduler=pbt)
    with pytest.warns(PoptuneWarning, match="checkpoint"):
        world.run(
            [result("a", 1, x=2.0, waiting=True), result("b", 1, x=1.0, waiting=True)],
            [result("a", 2, x=2.0, waiting=True)],
            [result("b", 2, x=1.0, waiting=True)],
            [returned("a"), returned("b")],
        )


def test_configs_are_sent_as_the_machine_has_them():
    world = World(trials=1)
    sent = []
    world.workers.assign = sent.append
    world.run([returned("a")])
    assert cloudpickle.loads(sent[0].config) == {"lr": 0}
