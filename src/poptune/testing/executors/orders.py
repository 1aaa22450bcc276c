"""What workers do when they are spoken to, one order at a time."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import poptune as tune
from poptune._base.types import TrialId
from poptune._running.executors.base import Work
from poptune._training.protocol import CodeDeclined, CodeReturned, Result, Terms
from poptune._training.trainable import prepare
from poptune.testing.executors.conversation import Conversation
from poptune.testing.executors.maker import MakesExecutors

A, B = TrialId("69158_00000"), TrialId("69158_00001")


class OrderConformance(MakesExecutors):
    """Tests through the workers themselves."""

    @contextmanager
    def talk(
        self, path: Path, trainable: Callable[..., Any], *, slots: int = 2, **terms: Any
    ) -> Iterator[Conversation]:
        """Workers for a trainable, which end with the context."""
        settings: dict[str, Any] = {
            "experiment_name": "run",
            "experiment_path": str(path / "run"),
            "stop": {},
            "stop_population": {},
            "time_attr": "training_iteration",
            "metric": None,
            "require_attrs": True,
            "lockstep": False,
            "save_at_milestones": False,
            "checkpoint_frequency": 0,
            "checkpoint_at_end": False,
            "resources": {"cpu": 1.0},
            **terms,
        }
        (path / "run").mkdir()
        work = Work(prepared=prepare(trainable), terms=Terms(**settings), slots=slots)
        workers = self.make_executor(slots).open(work)
        try:
            yield Conversation(workers, path)
        finally:
            workers.close(5.0)

    def test_a_trial_waits_inside_report_at_its_milestone(self, tmp_path: Path) -> None:
        def train(_config: dict[str, Any]) -> None:
            secret = object()
            for _ in range(10):
                tune.report({"local": id(secret)})

        with self.talk(tmp_path, train) as talk:
            talk.assign(A, until=2)
            first = talk.hear_results(A, 2)
            assert [(result.iteration, result.waiting) for result in first] == [(1, False), (2, True)]
            talk.assign(B, until=1)  # somebody else's turn
            talk.hear_results(B, 1)
            talk.proceed(A, until=3, incarnation=7)  # late, or early: of another incarnation
            talk.proceed(A, until=4)
            after = talk.hear_results(A, 4)
        assert [(result.iteration, result.waiting) for result in after[2:]] == [(3, False), (4, True)]
        assert len({(result.metrics["pid"], result.metrics["local"]) for result in after}) == 1
        if self.has_processes:
            assert talk.results(B)[0].metrics["pid"] != after[0].metrics["pid"]

    def test_a_waiting_loop_over_steps_takes_a_new_config_as_it_stands(self, tmp_path: Path) -> None:
        def train(config: dict[str, Any]) -> None:
            height, secret = tune.StateRef(0.0), object()
            for _ in tune.steps(config, height=height):
                height.value += config["lr"]
                tune.report({"height": height.value, "local": id(secret)})

        with self.talk(tmp_path, train) as talk:
            talk.assign(A, until=2, config={"lr": 1.0})
            talk.hear_results(A, 2)
            talk.proceed(A, until=4, config={"lr": 10.0})
            results = talk.hear_results(A, 4)
        assert [result.metrics["height"] for result in results] == [1.0, 2.0, 12.0, 22.0]
        assert [result.incarnation for result in results] == [0, 0, 0, 0]
        assert len({result.metrics["local"] for result in results}) == 1

    @pytest.mark.parametrize("takes", [True, False])
    def test_a_waiting_object_says_whether_it_takes_a_new_config(self, tmp_path: Path, takes: bool) -> None:
        class Climb(tune.Trainable):
            def setup(self, config: dict[str, Any]) -> None:
                self.height = 0.0

            def step(self) -> dict[str, Any]:
                self.height += self.config["lr"]
                return {"height": self.height}

            def save_checkpoint(self, folder: str) -> dict[str, Any]:
                return {"height": self.height}

            def load_checkpoint(self, state: Any) -> None:
                self.height = state["height"]

            def reset_config(self, config: dict[str, Any]) -> bool:
                return takes

        with self.talk(tmp_path, Climb) as talk:
            talk.assign(A, until=1, config={"lr": 1.0})
            talk.hear_results(A, 1)
            talk.proceed(A, until=2, config={"lr": 10.0})
            if not takes:
                talk.hear(lambda talk: CodeDeclined(trial=A, incarnation=0) in talk.said)
                talk.proceed(A, until=2)  # whatever is answered, it waits until then
            results = talk.hear_results(A, 2)
        assert [result.metrics["height"] for result in results] == [1.0, 11.0 if takes else 2.0]

    def test_a_waiting_function_declines_a_new_config(self, tmp_path: Path) -> None:
        def train(config: dict[str, Any]) -> None:
            height = 0.0
            while True:
                height += config["lr"]
                tune.report({"height": height})

        with self.talk(tmp_path, train) as talk:
            talk.assign(A, until=1, config={"lr": 1.0})
            talk.hear_results(A, 1)
            talk.proceed(A, until=2, config={"lr": 10.0})
            talk.hear(lambda talk: CodeDeclined(trial=A, incarnation=0) in talk.said)
        assert len(talk.results(A)) == 1

    def test_orders_for_trials_that_nobody_holds_are_ignored(self, tmp_path: Path) -> None:
        def train(_config: dict[str, Any]) -> None:
            tune.report({"x": 1})

        with self.talk(tmp_path, train) as talk:
            talk.proceed(A, until=1)
            talk.workers.release(A)
            talk.assign(B, until=None)
            talk.hear(lambda talk: any(isinstance(said, CodeReturned) for said in talk.said))
        assert [type(said) for said in talk.said] == [Result, CodeReturned]
        assert all(said.trial == B for said in talk.said)

    def test_a_new_assignment_restarts_a_waiting_trial_from_the_checkpoint(self, tmp_path: Path) -> None:
        def train(config: dict[str, Any]) -> None:
            checkpoint = tune.get_checkpoint()
            height = checkpoint.to_dict()["height"] if checkpoint else np.zeros(3)
            while True:
                height += config["lr"]
                tune.report({"height": height}, checkpoint=tune.Checkpoint.from_dict({"height": height}))

        with self.talk(tmp_path, train) as talk:
            talk.assign(A, until=2, config={"lr": 1.0})
            before = talk.hear_results(A, 2)
            talk.assign(
                A,
                until=3,
                incarnation=1,
                config={"lr": 10.0},
                checkpoint=f"checkpoints/train_{A}/checkpoint_000001",
                iteration=1,
                age=1.0,
                next_save=3,
            )
            after = talk.hear_results(A, 4)[2:]
        assert [result.checkpoint for result in before] == [1, 2]
        assert [(result.iteration, result.incarnation, result.checkpoint) for result in after] == [
            (2, 1, 3),
            (3, 1, 4),
        ]
        assert [result.metrics["height"] for result in after] == [[11.0] * 3, [21.0] * 3]
        assert len({result.metrics["pid"] for result in [*before, *after]}) == 1

    def test_unwinding_runs_what_the_code_wants_to_do_at_its_end(self, tmp_path: Path) -> None:
        def train(config: dict[str, Any]) -> None:
            @contextmanager
            def context() -> Iterator[None]:
                try:
                    yield
                finally:
                    note("context left")

            def note(text: str) -> None:
                with Path(config["notes"]).open("a") as file:
                    print(text, file=file)

            with context():
                try:
                    while True:
                        tune.report({"x": 1})
                        note("trained on")
                except Exception:
                    note("taken for an error")
                    raise
                finally:
                    note("finally")

        with self.talk(tmp_path, train) as talk:
            talk.assign(A, until=1)
            talk.hear_results(A, 1)
            talk.workers.release(A)
            talk.hear_note("context left")
            talk.assign(B, until=1)  # the worker is free again
            talk.hear_results(B, 1)
            assert talk.notes() == ["finally", "context left"]
        assert talk.notes() == ["finally", "context left"] * 2, "closing unwinds, too"

    @pytest.mark.parametrize("times", [1, 2])
    def test_unwinding_may_be_swallowed(self, tmp_path: Path, times: int) -> None:
        def train(_config: dict[str, Any]) -> None:
            swallowed = 0
            while True:
                try:
                    tune.report({"x": swallowed})
                except BaseException:
                    swallowed += 1
                    if swallowed > times:
                        raise

        with self.talk(tmp_path, train) as talk:
            talk.assign(A, until=1)
            talk.hear_results(A, 1)
            for restart in (1, 2):  # each counts for itself
                talk.assign(A, until=1, incarnation=restart)
                talk.hear_results(A, 1 + restart)
        pids = [result.metrics["pid"] for result in talk.results(A)]
        assert [result.incarnation for result in talk.results(A)] == [0, 1, 2]
        assert len(talk.said) == 3
        if self.has_processes:
            assert len(set(pids)) == (1 if times == 1 else 3), "the worker of a deaf trainable is replaced"

    @pytest.mark.parametrize("kind", ["thread", "process"])
    def test_a_trial_that_leaves_something_running_goes_on_in_another_worker(
        self, tmp_path: Path, kind: str
    ) -> None:
        def train(config: dict[str, Any]) -> None:
            gone = Path(config["notes"]).with_name("gone")

            def linger() -> None:
                while not gone.exists():
                    threading.Event().wait(0.01)

            companion: threading.Thread | BaseProcess
            if kind == "thread":
                companion = threading.Thread(target=linger)
            else:
                companion = multiprocessing.get_context("fork").Process(target=linger)
            companion.start()
            tune.report({"x": 1})

        with self.talk(tmp_path, train) as talk:
            talk.assign(A, until=1)
            talk.hear_results(A, 1)
            talk.assign(A, until=1, incarnation=1)
            results = talk.hear_results(A, 2)
            (tmp_path / "gone").touch()
        assert [result.incarnation for result in results] == [0, 1]
        if self.has_processes:
            assert len({result.metrics["pid"] for result in results}) == 2

    def test_whatever_the_code_raises_is_the_trials_failure(self, tmp_path: Path) -> None:
        def train(config: dict[str, Any]) -> None:
            raise config["error"]

        errors = [SystemExit(3), KeyboardInterrupt(), ValueError("of the user")]
        with self.talk(tmp_path, train) as talk:
            for number, error in enumerate(errors):
                talk.assign(A, until=1, incarnation=number, config={"error": error})
                told = talk.hear_failure(A, number + 1)
                assert told.splitlines()[-1].startswith(type(error).__name__)
                assert told.splitlines()[0] == "Traceback (most recent call last):"
                assert f'File "{__file__}"' in told.splitlines()[1], "the first frame is the user's"
            talk.hear(lambda talk: len(talk.said) == len(errors))
