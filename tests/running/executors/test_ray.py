"""Trials in the actors of a real Ray cluster of one node."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from numbered import fit_numbered

import poptune as tune
from poptune._running.executors import Executor
from poptune._training.protocol import Lost
from poptune.errors import ConfigurationError, ExecutorError
from poptune.testing.executors import A, B, ExecutorConformance

SOURCE = str(Path(tune.__file__).parents[1])
DEADLINE_S = 300.0
pytestmark = [pytest.mark.usefixtures("ray_here"), pytest.mark.xdist_group("ray")]


class TestRayWorkers(ExecutorConformance):
    def make_executor(self, slots: int, max_resident_trials: int | None = None) -> Executor:
        return tune.RayExecutor(slots=slots, max_resident_trials=max_resident_trials)


def fit(path, trainable, *, executor=None, **config):
    return fit_numbered(path, trainable, executor=executor or tune.RayExecutor(slots=2), **config)


def wait_until(condition, what):
    deadline = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        threading.Event().wait(0.01)
    return value


class Talk(ExecutorConformance):
    """Not collected: for conversations with workers."""

    def make_executor(self, slots, max_resident_trials=None):
        return tune.RayExecutor(slots=slots, max_resident_trials=max_resident_trials)


def lost(talk, trial):
    return [said.reason for said in talk.said if isinstance(said, Lost) and said.trial == trial]


# What is sent and what comes back


def test_ray_is_an_executor_by_name(tmp_path):
    def train(config):
        tune.report({"height": config["number"]})

    results = fit(tmp_path, train, run={"executor": "ray"})
    assert [result.metrics["height"] for result in results] == [0, 1]
    assert len({result.metrics["pid"] for result in results} | {os.getpid()}) == 3


def test_what_a_trial_prints_comes_as_its_output_once(tmp_path, capfd):
    def train(config):
        print("printed by", config["number"])
        os.write(1, b"written to the descriptor\n")
        os.system("echo by another program")
        print("an error", file=sys.stderr)
        print("unfinished", end="")
        tune.report({"height": 0})
        print(", at its end", end="")

    fit(tmp_path, train, run={"log_to_file": True, "verbose": 1, "progress": "lines"})
    for number in range(2):
        (folder,) = tmp_path.glob(f"run/train_*_0000{number}_*")
        assert (folder / "stdout").read_text().splitlines() == [
            f"printed by {number}",
            "written to the descriptor",
            "by another program",
            "unfinished, at its end",
        ]
        assert (folder / "stderr").read_text().splitlines() == ["an error"]
    shown = "".join(capfd.readouterr())
    assert shown.count("printed by 0") == 1
    assert shown.count("printed by 1") == 1


def test_parameters_lie_in_the_object_store_and_their_arrays_are_not_copied(tmp_path):
    def train(config, data, tensor):
        import torch

        assert isinstance(tensor, torch.Tensor)
        try:
            data[0] = 1
        except ValueError as error:
            tune.report({"height": float(data.sum() + tensor.sum()), "refusal": str(error)})

    torch = pytest.importorskip("torch")
    trainable = tune.with_parameters(train, data=np.ones(1_000_000), tensor=torch.ones(10))
    for result in fit(tmp_path, trainable):
        assert result.metrics["height"] == 1_000_010
        assert "read-only" in result.metrics["refusal"], "it is a view of shared memory"


def test_what_was_put_can_be_got_where_its_folder_is_not(tmp_path, monkeypatch):
    from poptune._training import shared

    reference = tune.put({"numbers": np.arange(4)})
    there = shared.ObjectRef(reference.path + "-of-another-machine", "dict")
    own = shared.own_objects()
    monkeypatch.setattr(shared, "own_objects", lambda: {there.path: own[reference.path]})

    def train(config):
        tune.report({"height": int(tune.get(there)["numbers"].sum())})

    assert [result.metrics["height"] for result in fit(tmp_path, train)] == [6, 6]


def test_a_trial_can_start_workers_of_its_own_in_its_other_bundles(tmp_path):
    def train(config):
        import ray

        @ray.remote(num_cpus=1)
        def where():
            return ray.util.get_current_placement_group().bundle_count

        tune.report({"height": ray.get(where.remote()), "cpus": dict(tune.get_context().trial_resources)})

    resources = [{"cpu": 1, "desk": 1}, {"cpu": 1}]
    results = fit(tmp_path, train, executor=tune.RayExecutor(), resources_per_trial=resources)
    assert [result.error for result in results] == [None, None]
    for result in results:
        assert result.metrics["height"] == 2
        assert result.metrics["cpus"] == {"cpu": 2, "desk": 1}


# Losses


def test_an_actor_that_is_killed_costs_only_its_trial_which_goes_on_from_its_checkpoint(tmp_path):
    def train(config):
        checkpoint = tune.get_checkpoint()
        step = checkpoint.to_dict()["step"] if checkpoint else 0
        while True:
            step += 1
            if step == 4 and config["number"] and not (mark := tmp_path / "mark").exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            tune.report({"height": step}, checkpoint=tune.Checkpoint.from_dict({"step": step}))

    results = fit(
        tmp_path,
        train,
        run={
            "stop": lambda trial, result: result["height"] >= 6,  # so that each result is heard at once
            "failure_config": tune.FailureConfig(max_failures=1),
        },
    )
    assert not results.errors
    for result in results:
        assert list(result.metrics_dataframe["height"]) == [1, 2, 3, 4, 5, 6]
    assert len(set(results[1].metrics_dataframe["pid"])) == 2


def test_a_lost_worker_is_told_with_its_cause(tmp_path):
    def train(config):
        os._exit(3)

    results = fit(tmp_path, train)
    for result in results:
        assert "worker process has died" in str(result.error)


def test_a_silent_trial_is_ended(tmp_path):
    def train(config):
        tune.report({"height": 1})
        threading.Event().wait()

    failures = tune.FailureConfig(report_timeout_s=0.3, on_all_failed="return")
    results = fit(tmp_path, train, run={"failure_config": failures})
    assert all("report_timeout_s" in str(result.error) for result in results)


def test_a_worker_that_is_told_to_end_saves_what_can_be_asked_for_its_state_first(tmp_path):
    def train(config):
        count = tune.StateRef(0)
        for step in tune.steps(config, count=count):
            count.value += 1
            if step == 3:
                os.kill(os.getpid(), signal.SIGTERM)
            threading.Event().wait(0.05)
            tune.report({"height": count.value})

    with Talk().talk(tmp_path, train) as talk:
        talk.assign(A, until=None)
        talk.hear(lambda talk: lost(talk, A))
    assert "SIGTERM" in lost(talk, A)[0]
    (saved,) = [result for result in talk.results(A) if result.checkpoint is not None]
    assert saved.metrics["height"] >= 3
    assert saved == talk.results(A)[-1], "it leaves with that"
    assert (tmp_path / "run/checkpoints" / f"train_{A}" / f"checkpoint_{saved.checkpoint:06d}").is_dir()


def test_a_waiting_worker_that_is_told_to_end_leaves_at_once(tmp_path):
    def train(config):
        while True:
            tune.report({"height": 1})

    with Talk().talk(tmp_path, train) as talk:
        talk.assign(A, until=1)
        (result,) = talk.hear_results(A, 1)
        os.kill(result.metrics["pid"], signal.SIGTERM)
        talk.hear(lambda talk: lost(talk, A))
        talk.assign(B, until=1)
        talk.hear_results(B, 1)


def test_no_actor_outlives_a_killed_driver_and_the_experiment_can_be_continued(tmp_path, ray_here):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import sys, time
            import ray
            import poptune as tune

            def train(config):
                checkpoint = tune.get_checkpoint()
                step = checkpoint.to_dict()["step"] if checkpoint else 0
                while True:
                    step += 1
                    time.sleep(0.02)
                    tune.report({{"height": step}}, checkpoint=tune.Checkpoint.from_dict({{"step": step}}))

            executor = tune.RayExecutor(address="{ray_here.get_runtime_context().gcs_address}", slots=2)
            tune.Tuner(
                train,
                param_space={{"number": tune.grid_search([0, 1])}},
                run_config=tune.RunConfig(
                    name="run",
                    storage_path={str(tmp_path)!r},
                    executor=executor,
                    verbose=0,
                    stop={{"height": 100}},
                ),
            ).fit()
            """
        )
    )
    driver = subprocess.Popen([sys.executable, script], env={**os.environ, "PYTHONPATH": SOURCE})
    journal = tmp_path / "run" / "experiment.db"

    def reported():
        assert driver.poll() is None, "it must not end by itself"
        return journal.exists() and [
            result.metrics["pid"]
            for result in tune.ResultGrid.from_path(tmp_path / "run")
            if "pid" in result.metrics
        ]

    pids = wait_until(lambda: len(found := reported() or []) == 2 and found, "reports")
    driver.kill()
    driver.wait()
    wait_until(lambda: not any(map(is_alive, pids)), "the end of the actors")
    results = tune.Tuner.restore(tmp_path / "run").fit()
    assert [list(result.metrics_dataframe["height"]) for result in results] == [list(range(1, 101))] * 2


def is_alive(pid):
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


# Bad input


def test_resources_that_no_node_has_are_named_at_once(tmp_path):
    def train(config):
        tune.report({"height": 1})

    with pytest.raises(ConfigurationError, match=r"1 throne on one node, where no node has more than 0"):
        fit(tmp_path, train, resources_per_trial={"cpu": 1, "throne": 1})
    with pytest.raises(ConfigurationError, match=r"64 CPU on one node, where no node has more than 4"):
        fit(tmp_path, train, resources_per_trial=[{"cpu": 1}, {"cpu": 64}])


def test_a_module_that_the_workers_lack_is_named(tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text(
        "def train(config):\n    import poptune\n    poptune.report({'height': 1})\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import only_here

    monkeypatch.setattr("poptune._running.executors.ray.importable_path", list)
    results = fit(tmp_path, only_here.train)
    assert all("No module named 'only_here'" in str(result.error) for result in results)


def test_another_version_in_the_workers_is_an_error_before_anything_trains(tmp_path, monkeypatch):
    monkeypatch.setattr("poptune._running.executors.actors.versions", lambda: {"poptune": "0.0.7"})

    def train(config):
        (tmp_path / "trained").touch()

    with pytest.raises(
        ExecutorError, match=rf"poptune is 0\.0\.7 in the program and {tune.__version__} in the worker"
    ):
        fit(tmp_path, train)
    assert not (tmp_path / "trained").exists()


def test_an_address_without_a_cluster_is_an_error_soon(tmp_path, unused_port):
    script = (
        "import poptune as tune; "
        f"tune.RayExecutor(address='127.0.0.1:{unused_port}').count_slots([{{'cpu': 1}}])"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env={**os.environ, "PYTHONPATH": SOURCE},
        check=False,
    )
    assert "ConfigurationError: A Ray cluster must run at 127.0.0.1" in run.stderr
    assert "refused" in run.stderr


@pytest.fixture
def unused_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        yield free.getsockname()[1]
