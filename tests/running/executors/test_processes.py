"""Real processes: scripts, prompts, kernels, signals, descriptors, and what trials print."""

import contextlib
import ctypes
import gc
import os
import pty
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numbered
import pytest
from numbered import fit_numbered

import poptune as tune
from poptune._running.controller import controller
from poptune._running.executors import ProcessExecutor
from poptune._running.executors.launching import Launching
from poptune._training import current
from poptune.errors import ConfigurationError, ExecutorError, PoptuneWarning
from poptune.schedulers import PopulationBasedTraining

SOURCE = str(Path(tune.__file__).parents[1])
DEADLINE_S = 300.0


def fit(path, trainable, *, executor=None, **config):
    return fit_numbered(path, trainable, executor=executor or ProcessExecutor(slots=2), **config)


def wait_until(condition, what):
    deadline = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        threading.Event().wait(0.01)
    return value


def is_alive(pid):
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


def start(tmp_path, script, *arguments, **options):
    """Start a script, with warnings as errors and in a session of its own."""
    file = tmp_path / "script.py"
    file.write_text(textwrap.dedent(script))
    return subprocess.Popen(
        [sys.executable, "-W", "error", file, *map(str, arguments)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": SOURCE, "PYTHONUNBUFFERED": ""},
        start_new_session=True,
        text=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **options},
    )


def finish(process):
    output, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, output
    return output


# What a program is


def test_a_script_without_a_guard_runs_once_and_hears_its_trials(tmp_path):
    (tmp_path / "sibling.py").write_text(
        "import pathlib\n"
        "with pathlib.Path(__file__).with_name('imports').open('a') as file: print('imported', file=file)\n"
        "def deepen(x): return x + 1\n"
    )
    output = finish(
        start(
            tmp_path,
            """
            import os, sys
            import sibling
            import poptune as tune

            print("the script runs")

            class Model:
                def __init__(self, depth):
                    self.depth = helper(depth)

            def helper(depth):
                return sibling.deepen(depth)

            def train(config):
                print("printed by", config["number"])
                os.write(1, b"written to the descriptor\\n")
                print("an error", file=sys.stderr)
                for share in range(0, 101, 10):
                    print(f"\\rprogress {share}%", end="")
                print()
                os.write(1, b"\\xff\\x00junk\\n")
                print("unfinished", end="")
                try:
                    tune.report({"height": Model(config["number"]).depth, "cwd": os.getcwd()})
                    tune.report({"height": 0})
                finally:
                    print(", at its end", end="")

            results = tune.Tuner(
                train,
                param_space={"number": tune.grid_search([0, 1, 2, 3])},
                tune_config=tune.TuneConfig(metric="height", mode="max"),
                run_config=tune.RunConfig(
                    name="run", storage_path=".", executor=tune.ProcessExecutor(slots=2),
                    stop={"height": 0}, log_to_file=True,
                ),
            ).fit()
            assert [result.metrics["height"] for result in results] == [1, 2, 3, 4], list(results)
            assert all(result.metrics["cwd"] == str(result.path) for result in results)
            """,
        )
    )
    assert output.count("the script runs") == 1
    assert len((tmp_path / "imports").read_text().split()) == 2, "by the script and by the launcher"
    for number in range(4):
        (folder,) = tmp_path.glob(f"run/train_*_0000{number}_*")
        expected = [
            f"printed by {number}",
            "written to the descriptor",
            "progress 100%",
            "\ufffd\0junk",
            "unfinished, at its end",
        ]
        assert (folder / "stdout").read_text().splitlines() == expected
        assert (folder / "stderr").read_text().splitlines() == ["an error"]
        assert f"(trial {number}) printed by {number}" in output
        assert f"(trial {number}) unfinished, at its end" in output


def test_code_typed_at_a_prompt_can_be_trained(tmp_path):
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-q", "-i"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": SOURCE, "TERM": "dumb", "PYTHON_BASIC_REPL": "1"},
        start_new_session=True,
    )
    os.close(terminal)
    typed = """
import poptune as tune
class Model:
    depth = 6

def train(config):
    tune.report({"height": Model.depth * config["number"]})

run = tune.RunConfig(name="run", storage_path=".", verbose=0)
space = {"number": tune.grid_search([1, 7])}
results = tune.Tuner(train, param_space=space, run_config=run).fit()
print("depths:", [result.metrics["height"] for result in results])
exit()
"""
    seen = b""
    os.write(controller, typed.encode())
    deadline = time.monotonic() + DEADLINE_S
    while process.poll() is None and time.monotonic() < deadline:
        if select.select([controller], [], [], 0.1)[0]:
            try:
                seen += os.read(controller, 65536)
            except OSError:  # the terminal is closed
                break
    assert process.wait(DEADLINE_S) == 0
    os.close(controller)
    assert b"depths: [6, 42]" in seen, seen.decode()


@pytest.mark.filterwarnings("ignore::DeprecationWarning:jupyter_client", "ignore::DeprecationWarning:zmq")
def test_a_notebook_can_train_what_its_cells_define(tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("PYTHONPATH", SOURCE)
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    cells = [
        "import os, warnings\nwarnings.simplefilter('error')\nimport poptune as tune",
        "class Model:\n    depth = 6",
        """
def train(config):
    print('said by a trial')
    tune.report({'height': Model.depth * config['number']})
""",
        f"""
space = {{'number': tune.grid_search([1, 7])}}
run = tune.RunConfig(name='run', storage_path={str(tmp_path)!r})
results = tune.Tuner(train, param_space=space, run_config=run).fit()
""",
        "print([result.metrics['height'] for result in results])",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(book, kernel_name="python3", timeout=DEADLINE_S).execute()
    assert "".join(output.text for output in book.cells[-1].outputs) == "[6, 42]\n"
    assert "said by a trial" in str(book.cells[-2].outputs)


def test_what_a_preloaded_module_prints_comes_above_the_live_view(tmp_path):
    (tmp_path / "talkative.py").write_text("import os\nos.write(1, b'a line of import time\\n')\n")
    controller, terminal = pty.openpty()
    process = start(
        tmp_path,
        """
        import poptune as tune
        def train(config):
            for step in range(3):
                tune.report({"height": step})
        tune.Tuner(train, run_config=tune.RunConfig(
            name="run", storage_path=".", progress="live",
            executor=tune.ProcessExecutor(preload=["talkative"], slots=1),
        )).fit()
        """,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    seen = b""
    while select.select([controller], [], [], DEADLINE_S)[0]:
        try:
            seen += os.read(controller, 65536)
        except OSError:
            break
    os.close(controller)
    assert process.wait(DEADLINE_S) == 0, seen.decode()
    before, after = seen.split(b"a line of import time", 1)
    assert after.startswith(b"\r\n")
    last = before.rsplit(b"\n", 1)[-1]
    assert not last.strip() or last.endswith((b"\x1b[2K", b"K")), f"not on a line of its own: {last!r}"


# Preloading, and what workers find


def test_modules_are_imported_once_and_not_by_each_worker(tmp_path, monkeypatch):
    (tmp_path / "heavy.py").write_text(
        "import os, pathlib\n"
        "with pathlib.Path(__file__).with_name('imports').open('a') as file: print(os.getpid(), file=file)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def train(config):
        import heavy  # noqa: F401

        tune.report({"height": os.getppid()})

    results = fit(tmp_path, train, num_samples=2)
    (launcher,) = {result.metrics["height"] for result in results}
    assert (tmp_path / "imports").read_text().split() == [str(launcher)]
    (tmp_path / "imports").unlink()
    fit(tmp_path, train, executor=ProcessExecutor(slots=2, preload=[]))
    assert str(launcher) not in (tmp_path / "imports").read_text().split()
    assert len((tmp_path / "imports").read_text().split()) == 2
    with pytest.warns(PoptuneWarning, match="'not_there' cannot .*ModuleNotFoundError"):
        fit(tmp_path, train, executor=ProcessExecutor(slots=1, preload=["not_there"]))


def test_a_module_that_starts_a_thread_has_workers_started_afresh(tmp_path, monkeypatch):
    (tmp_path / "threaded.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def train(config):
        import threaded  # noqa: F401

        tune.report({"height": 1})

    with pytest.warns(PoptuneWarning, match="importing threaded has started 1 thread[.]") as caught:
        results = fit(tmp_path, train, space={})
    assert caught[0].filename == numbered.__file__, "it is said where the run was begun"
    assert not results.errors


def test_workers_find_the_environment_of_the_program(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    def train(config):
        names = ("PYTHONPATH", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        tune.report({"height": 1, "environment": [os.environ.get(name) for name in names]})

    for fork in (True, False):
        results = fit(tmp_path, train, executor=ProcessExecutor(slots=2, fork=fork))
        threads = str(max(1, len(os.sched_getaffinity(0)) // 2))
        assert [result.metrics["environment"] for result in results] == [["/somewhere", threads, "3"]] * 2


def test_a_trial_can_use_torch_with_loader_workers_and_its_share_of_the_cores(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    def train(config):
        import multiprocessing

        import torch
        from torch.utils.data import DataLoader, TensorDataset

        loader = DataLoader(TensorDataset(torch.arange(6.0)), batch_size=2, num_workers=1)
        total = sum(batch.sum() for (batch,) in loader)
        tune.report(
            {
                "height": total,
                "threads": torch.get_num_threads(),
                "is_daemon": multiprocessing.current_process().daemon,
                "parent": os.getppid(),
            }
        )

    results = fit(tmp_path, train, num_samples=2, executor=ProcessExecutor(slots=2))
    assert [result.metrics["height"] for result in results] == [15.0] * 4
    assert {result.metrics["is_daemon"] for result in results} == {False}
    assert len({result.metrics["parent"] for result in results}) == 1, "torch can be forked"
    assert {result.metrics["threads"] for result in results} == {max(1, len(os.sched_getaffinity(0)) // 2)}
    assert len({result.metrics["pid"] for result in results}) == 2, "a loader that has ended is no leftover"


def test_each_trial_sees_its_own_gpus(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")

    def train(config):
        # Two of each are under way at once, so that the pool has to tell them apart.
        tune.report({"height": 1, "gpus": os.environ["CUDA_VISIBLE_DEVICES"]})

    def seen(gpu, trials):
        results = fit(
            tmp_path,
            train,
            space={"number": tune.grid_search(list(range(trials)))},
            executor=ProcessExecutor(),
            reuse_workers=False,
            resources_per_trial={"cpu": 0.1, "gpu": gpu},
        )
        return sorted(result.metrics["gpus"] for result in results)

    assert seen(1, 2) == ["4", "5"]
    assert seen(2, 1) == ["4,5"]
    assert set(seen(0.5, 4)) <= {"4", "5"}
    with pytest.raises(ConfigurationError, match=r"needs 3 GPUs, but this machine shows 2 .*4, 5"):
        seen(3, 1)


def test_large_configs_metrics_and_checkpoints_pass(tmp_path):
    def train(config):
        if checkpoint := tune.get_checkpoint():
            assert checkpoint.to_dict()["weights"] == config["blob"]
        for _ in range(4):
            state = tune.Checkpoint.from_dict({"weights": config["blob"]})
            tune.report({"height": config["lr"], "curve": [0.5] * 20_000}, checkpoint=state)

    results = fit(
        tmp_path,
        train,
        space={"blob": b"x" * 2**20, "lr": tune.uniform(0, 1)},
        num_samples=4,
        scheduler=PopulationBasedTraining(
            time_attr="training_iteration", perturbation_interval=2, hyperparam_mutations={"lr": [0, 1]}
        ),
    )
    assert not results.errors
    assert all(len(result.metrics["curve"]) == 20_000 for result in results)
    assert all(result.checkpoint.to_dict()["weights"] == b"x" * 2**20 for result in results)


# How processes end


def test_a_worker_that_dies_costs_only_its_trial(tmp_path):
    def train(config):
        mark = Path(config["marks"], str(config["number"]))
        for height in range(1, 4):
            tune.report({"height": height})
            if height == 2 and config["number"] == 1 and not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if config["number"] == 2:
                os.kill(os.getpid(), signal.SIGSEGV)
            if config["number"] == 3:
                os._exit(7)

    results = fit(
        tmp_path,
        train,
        space={"number": tune.grid_search([0, 1, 2, 3]), "marks": str(tmp_path)},
        run={"failure_config": tune.FailureConfig(max_failures=1), "stop": {"height": 3}},
    )
    assert [result.metrics["height"] for result in results] == [3, 3, 1, 1]
    assert [bool(result.error) for result in results] == [False, False, True, True]
    assert "SIGSEGV" in str(results[2].error)
    assert "exit code 7" in str(results[3].error)
    assert list(results[1].metrics_dataframe["height"]) == [1, 2, 3]

    def killed(config):
        os.kill(os.getpid(), signal.SIGKILL)

    (result,) = fit(tmp_path, killed, space={})
    assert "SIGKILL, perhaps because the machine ran out of memory" in str(result.error)


def test_a_worker_that_talks_nonsense_costs_only_its_trial(tmp_path):
    def train(config):
        mark = Path(config["marks"], "said")
        for height in range(1, 4):
            tune.report({"height": height})
            if config["number"] == 1 and height == 2 and not mark.exists():
                mark.touch()
                current.session("this test")._channel._ring.write(b"\x03\0\0\0???")

    results = fit(
        tmp_path,
        train,
        space={"number": tune.grid_search([0, 1]), "marks": str(tmp_path)},
        run={"failure_config": tune.FailureConfig(max_failures=1)},
    )
    assert [result.metrics["height"] for result in results] == [3, 3]
    assert results.num_errors == 0


def test_an_experiment_whose_launcher_dies_can_be_restored(tmp_path):
    def train(config):
        tune.report({"height": 1}, checkpoint=tune.Checkpoint.from_dict({}))
        if not (mark := Path(config["mark"])).exists():
            mark.touch()
            os.kill(os.getppid(), signal.SIGKILL)
            signal.pause()
        tune.report({"height": 2})

    before = open_descriptors()
    space = {"mark": str(tmp_path / "mark"), "number": tune.grid_search([0, 1])}
    with pytest.raises(ExecutorError, match=r"it ended \(exit status -9\).*Tuner.restore"):
        fit(tmp_path, train, space=space)
    assert open_descriptors() == before
    results = tune.Tuner.restore(tmp_path / "run").fit()
    assert [result.metrics["height"] for result in results] == [2, 2]


def test_a_launcher_that_dies_with_requests_unread_is_no_riddle():
    launching = Launching(threads=1)
    launching.preload([])
    wait_until(lambda: select.select([launching.sources[0]], [], [], 0)[0], "its first words")
    launching.hear()
    os.kill(launching._process.pid, signal.SIGSTOP)
    with Path(os.devnull).open() as nothing:
        launching.launch(0, {}, (nothing.fileno(),))
    launching._process.kill()
    launching._process.wait()
    with pytest.raises(ExecutorError, match=r"it ended \(exit status -9\)"):
        launching.hear()
    launching.close(at_once=True)


LONG = """
import os, pathlib, signal, sys
import poptune as tune
from poptune.schedulers import PopulationBasedTraining

def climb(config):
    here = pathlib.Path(config["here"])
    (here / f"pid-{os.getpid()}").touch()
    (here / f"pid-{os.getppid()}").touch()
    height = 0 * int(config["lr"])
    if checkpoint := tune.get_checkpoint():
        height = checkpoint.to_dict()["height"]
    while True:
        height += 1
        if sys.argv[1:] == ["deaf"]:
            signal.pause()
        tune.report({"height": height}, checkpoint=tune.Checkpoint.from_dict({"height": height}))
        (here / f"reported-{height}").touch()
        while height > 4 and not (here / "go").exists():
            signal.sigtimedwait([], 0.01)

results = tune.Tuner(
    climb,
    param_space={"here": os.getcwd(), "lr": tune.uniform(0, 1)},
    tune_config=tune.TuneConfig(metric="height", mode="max", num_samples=2, scheduler=PopulationBasedTraining(
        time_attr="training_iteration", perturbation_interval=3, hyperparam_mutations={"lr": [0, 1]})),
    run_config=tune.RunConfig(name="run", storage_path=".", executor=tune.ProcessExecutor(slots=2),
        stop={"height": 10}),
).fit()
print("got", len(results), "results")
"""


def pids_of(tmp_path):
    return [int(path.name[4:]) for path in tmp_path.glob("pid-*")]


def test_ctrl_c_ends_gracefully_and_the_experiment_can_be_continued(tmp_path):
    process = start(tmp_path, LONG)
    wait_until((tmp_path / "reported-5").exists, "a report")
    os.killpg(process.pid, signal.SIGINT)
    (tmp_path / "go").touch()
    output = finish(process)
    assert "got 2 results" in output
    assert "Tuner.restore(" in output
    assert not any(map(is_alive, pids_of(tmp_path)))
    results = tune.Tuner.restore(tmp_path / "run").fit()
    for result in results:
        assert list(result.lineage.metrics_dataframe["height"]) == list(range(1, 11))
        assert result.metrics_dataframe["height"].iloc[-1] == 10
        counted = result.metrics_dataframe["training_iteration"]
        assert len(set(zip(counted, result.metrics_dataframe["height"], strict=True))) == len(counted)


FOR_EVER = """
import poptune._running.controller.controller
poptune._running.controller.controller._GRACE_S = 1e6  # who waits for it never ends
"""


def test_a_second_ctrl_c_does_not_wait(tmp_path):
    process = start(tmp_path, f"{FOR_EVER}{LONG}", "deaf")
    pids = wait_until(
        lambda: len(found := pids_of(tmp_path)) == 3 and found, "two workers and their launcher"
    )
    while process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
    output, _ = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in output
    assert "poptune resume" in output
    wait_until(lambda: not any(map(is_alive, pids)), "the end of all processes")


def test_nobody_outlives_a_killed_controller(tmp_path):
    process = start(tmp_path, LONG)
    wait_until((tmp_path / "reported-5").exists, "a report")
    pids = wait_until(
        lambda: len(found := pids_of(tmp_path)) == 3 and found, "two workers and their launcher"
    )
    process.kill()
    process.communicate()
    wait_until(lambda: not any(map(is_alive, pids)), "the end of all processes")


def open_descriptors():
    gc.collect()  # what an earlier test has dropped is not this one's affair
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def test_a_fit_leaves_nothing_behind(tmp_path):
    def train(config):
        for height in range(3):
            tune.report({"height": height})

    counts = []
    for _ in range(3):
        assert not fit(tmp_path, train, num_samples=2).errors
        counts.append(open_descriptors())
    assert counts[0] == counts[1] == counts[2]
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_what_a_trial_has_put_into_shared_memory_is_gone_after_the_run(tmp_path):
    def train(config):
        tune.report({"height": 1, "path": tune.put([1, 2]).path})

    for fork in (True, False):
        (result,) = fit(tmp_path, train, space={}, executor=ProcessExecutor(fork=fork))
        assert not Path(result.metrics["path"]).exists()


def test_a_process_that_a_trial_has_left_ends_with_its_worker(tmp_path, monkeypatch):
    def train(config):
        import multiprocessing

        child = multiprocessing.get_context("fork").Process(target=signal.pause)
        child.start()
        threading.Thread(target=threading.Event().wait).start()
        tune.report({"height": child.pid})

    monkeypatch.setattr(controller, "_GRACE_S", 1e6)  # who waits for what was left never ends
    for fork in (True, False):
        (result,) = fit(tmp_path, train, space={}, executor=ProcessExecutor(fork=fork))
        assert not result.error
        child = result.metrics["height"]
        wait_until(lambda child=child: not is_alive(child), "the end of the child")


def test_a_worker_that_does_not_listen_is_killed(tmp_path, monkeypatch):
    def train(config):
        if config["number"]:
            signal.pause()
        ctypes.CDLL(None).getpid()
        tune.report({"height": 1})

    monkeypatch.setattr(controller, "_GRACE_S", 0.1)
    results = fit(tmp_path, train, run={"stop_population_at": {"height": 1}})
    assert not results.errors
