"""The command `poptune`: as a program, and by the exit codes and texts that people and scripts meet."""

import importlib
import os
import signal
import subprocess
import sys
import textwrap
import tomllib
import warnings
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import poptune as tune
from poptune._base.layout import Layout
from poptune._running.tuner.lock import ExperimentLock
from poptune.cli import main

SCRIPT = """
    import os
    import sys
    import poptune as tune
    from poptune.schedulers import PopulationBasedTraining
    from training import train

    def stop(trial_id, result):
        if result["training_iteration"] == int(os.environ.get("DIE_AT", "0")):
            raise RuntimeError("the controller dies")
        return result["training_iteration"] >= 6

    if __name__ == "__main__":
        tune.Tuner(
            train,
            param_space={"lr": tune.uniform(0, 1)},
            tune_config=tune.TuneConfig(
                metric="height", mode="max", num_samples=4, seed=0,
                scheduler=PopulationBasedTraining(
                    time_attr="training_iteration", perturbation_interval=2, synch=True,
                    hyperparam_mutations={"lr": tune.uniform(0, 1)},
                ),
            ),
            run_config=tune.RunConfig(storage_path=sys.argv[1], name="run", stop=stop, executor="inline"),
        ).fit()
"""
TRAINING = """
    import os
    import time
    import poptune as tune

    def train(config):
        height, step = 0.0, 0
        if checkpoint := tune.get_checkpoint():
            state = checkpoint.to_dict()
            height, step = state["height"], state["step"]
        while True:
            height, step = height + config["lr"], step + 1
            state = tune.Checkpoint.from_dict({"height": height, "step": step})
            tune.report({"height": height}, checkpoint=state)
            if "WAIT" in os.environ:
                print("waiting", flush=True)
                time.sleep(0.02)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A user's folder, with a module of theirs that the training code is in."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "script.py").write_text(textwrap.dedent(SCRIPT))
    (folder / "training.py").write_text(textwrap.dedent(TRAINING))
    return folder


def run(*arguments, cwd, **environment):
    return subprocess.run(
        [sys.executable, "-W", "error", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def interrupted(project, tmp_path):
    done = run("script.py", tmp_path, cwd=project, DIE_AT="3")
    assert "the controller dies" in done.stderr
    return tmp_path / "run"


@pytest.fixture
def finished(tmp_path):
    def train(config):
        for step in range(1, 4):
            tune.report({"loss": 1.0 / step}, checkpoint=tune.Checkpoint.from_dict({"step": step}))

    return tune.Tuner(
        train,
        param_space={"name": tune.grid_search(["a", "b\x1b[2J"])},
        tune_config=tune.TuneConfig(metric="loss", mode="min"),
        run_config=tune.RunConfig(storage_path=tmp_path, name="run", executor="inline", verbose=0),
    ).fit()


@pytest.fixture(autouse=True)
def module_path(monkeypatch):
    """The command may extend it."""
    monkeypatch.setattr(sys, "path", sys.path.copy())


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.slow
def test_an_interrupted_experiment_is_resumed_and_then_verified(project, interrupted):
    resumed = run("-m", "poptune", "resume", interrupted, cwd=project)
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stderr == f"Opening the code that is stored in {interrupted}\n"
    assert "4 terminated" in resumed.stdout
    assert tune.ResultGrid.from_path(interrupted).num_terminated == 4
    verified = run("-m", "poptune", "verify", interrupted, cwd=project)
    assert verified.returncode == 0, verified.stdout
    assert "with 12 decisions: 0 differences" in verified.stdout
    assert "24 checkpoints: 0 missing or changed" in verified.stdout
    again = run("-m", "poptune", "resume", interrupted, cwd=project)
    assert again.returncode == 0
    assert "has ended, so there is nothing to train" in again.stderr
    assert "4 terminated" in again.stdout


@pytest.mark.slow
def test_ctrl_c_ends_it_with_130_and_it_can_be_resumed_again(project, interrupted):
    process = subprocess.Popen(
        [sys.executable, "-m", "poptune", "resume", interrupted],
        cwd=project,
        env={**os.environ, "WAIT": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    for line in process.stdout:
        if "waiting" in line:
            break
    process.send_signal(signal.SIGINT)
    said = process.stdout.read()
    process.stdout.close()
    assert process.wait() == 130, said
    assert "Traceback" not in said
    assert run("-m", "poptune", "resume", interrupted, cwd=project).returncode == 0


@pytest.mark.slow
def test_code_that_is_not_found_is_an_error_in_one_sentence(interrupted, tmp_path):
    for command in ("resume", "verify"):
        failed = run("-m", "poptune", command, interrupted, cwd=tmp_path)
        assert failed.returncode == 1
        (_, error) = failed.stderr.splitlines()
        assert error.startswith("Error: ")
        assert "No module named 'training'" in error


@pytest.mark.parametrize("command", ["resume", "verify", "show"])
def test_a_folder_that_is_no_experiment_is_an_error_in_one_sentence(command, tmp_path):
    for path in (tmp_path, tmp_path / "nowhere", __file__):
        failed = invoke(command, path)
        assert failed.exit_code == 1
        assert failed.stderr.splitlines()[-1].startswith("Error: ")
        assert "older of an experiment" in failed.stderr
        assert "Traceback" not in failed.output
        assert "Opening the code" not in failed.output


def test_show_prints_the_table_of_results_and_nothing_that_steers_the_terminal(finished):
    shown = invoke("show", finished.experiment_path)
    assert shown.exit_code == 0
    assert shown.stderr == ""
    assert "ResultGrid of 2 trials (2 terminated)" in shown.stdout
    assert "\x1b" not in shown.stdout


def test_what_is_wrong_ends_verify_with_1(finished):
    (finished[0].checkpoint.path / "state.safetensors").write_text("{}")
    verified = invoke("verify", finished.experiment_path)
    assert verified.exit_code == 1
    assert "6 checkpoints: 1 missing or changed" in verified.stdout
    assert "state.safetensors" in verified.stdout


def test_resuming_what_has_ended_needs_no_lock(finished):
    held = ExperimentLock.take(Layout(Path(finished.experiment_path)).lock)
    had_ended = invoke("resume", finished.experiment_path)
    held.release()
    assert had_ended.exit_code == 0, "nothing is left to do, so nobody is in the way"


@pytest.mark.parametrize("options", [[], ["--stop", "training_iteration=2"]])
def test_what_has_ended_is_trained_further_by_an_option_of_the_command(finished, options):
    ended = invoke("resume", finished.experiment_path, *options)
    assert ended.exit_code == 0
    (warning,) = [line for line in ended.stderr.splitlines() if line.startswith("Warning: ")]
    assert "has ended, so there is nothing to train" in warning
    assert warning.endswith("give other stops, --stop KEY=VALUE")
    assert "restore(" not in ended.output


def test_trials_that_failed_are_resumed_by_an_option_of_the_command(tmp_path):
    def fail(config):
        raise ValueError("no data")

    failures = tune.FailureConfig(on_all_failed="return")
    run_config = tune.RunConfig(storage_path=tmp_path, executor="inline", verbose=0, failure_config=failures)
    ended = invoke("resume", tune.Tuner(fail, run_config=run_config).fit().experiment_path)
    assert "--stop KEY=VALUE (or --resume-errored for the 1 that failed)" in ended.stderr


def test_warnings_are_lines_of_their_own():
    @main.command("warned")
    def warned():
        warnings.warn("check your \x1bspelling", tune.PoptuneWarning, stacklevel=1)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        click.echo("done")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        result = invoke("warned")
    del main.commands["warned"]
    poptune, other = result.stderr.splitlines()
    assert poptune == "Warning: check your �spelling"
    assert other.endswith("DeprecationWarning: old")
    assert result.stdout == "done\n"


@pytest.mark.parametrize("command", [None, *sorted(main.commands)])
def test_every_command_says_what_it_does_and_whether_it_runs_code(command):
    text = invoke(*filter(None, [command]), "--help")
    assert text.exit_code == 0
    if command in {"resume", "verify"}:
        assert "code is opened and run" in text.output
    if command == "show":
        assert "No code from the folder is run" in text.output


def test_every_command_is_in_the_documentation():
    document = (Path(__file__).parents[2] / "docs" / "command_line.md").read_text()
    for command in main.commands:
        assert f"poptune {command}" in document


def test_the_entry_point_is_the_command():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    module, _, name = project["project"]["scripts"]["poptune"].partition(":")
    assert getattr(importlib.import_module(module), name) is main


def test_help_imports_no_more_than_it_needs(tmp_path):
    code = (
        "import sys; from poptune.cli import main; main(['--help'], standalone_mode=False); "
        "heavy = {'numpy', 'rich', 'msgspec', 'poptune._running.tuner', 'poptune.results'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert run("-c", code, cwd=tmp_path).stdout.splitlines()[-1] == "[]"
