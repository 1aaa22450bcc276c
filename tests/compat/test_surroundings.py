"""What a worker finds around it, and the files that it leaves: the script's folder, logs, pickles."""

import os
import sys
from pathlib import Path

import pytest

import poptune
from poptune.compat import ray
from poptune.compat.ray import tune


def read(config):
    print("hello")
    text = Path(os.environ["TUNE_ORIG_WORKING_DIR"], "read.txt").read_text()
    tune.report({"read": text, "moved": os.environ["TUNE_ORIG_WORKING_DIR"] != str(Path.cwd())})


@pytest.fixture
def script(tmp_path, monkeypatch):
    folder = tmp_path / "script"
    folder.mkdir()
    (folder / "read.txt").write_text("data")
    monkeypatch.chdir(folder)
    return folder


def test_the_scripts_folder_is_known_inside_a_trial(script):
    (result,) = tune.Tuner(read, run_config=tune.RunConfig(verbose=0, log_to_file=("out", "err"))).fit()
    assert result.error is None
    assert (result.metrics["read"], result.metrics["moved"]) == ("data", True)
    assert Path(result.path, "out").read_text() == "hello\n"


def test_what_the_user_has_set_stands(script, monkeypatch, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "read.txt").write_text("other")
    monkeypatch.setenv("TUNE_ORIG_WORKING_DIR", str(other))
    (result,) = tune.Tuner(read, run_config=tune.RunConfig(verbose=0)).fit()
    assert result.metrics["read"] == "other"


def speak(config):

    print("to out")
    print("to err", file=sys.stderr)
    tune.report({"loss": 1})


@pytest.mark.parametrize(
    ("chosen", "files"),
    [
        (True, {"stdout": "to out\n", "stderr": "to err\n"}),
        (("my.out", "my.err"), {"my.out": "to out\n", "my.err": "to err\n"}),
        ("both.log", {"both.log": None}),
        (False, {}),
    ],
)
def test_what_a_trial_prints_is_kept_under_the_names_that_were_chosen(chosen, files):
    (trial,) = tune.run(speak, log_to_file=chosen, verbose=0).trials
    known = {"params.json", "result.json", "progress.csv"}
    logs = [path for path in Path(trial.path).iterdir() if path.name not in known]
    found = {path.name: path.read_text() for path in logs if "tfevents" not in path.name}
    assert found.keys() == files.keys()
    for name, text in files.items():
        lines = found[name].splitlines()
        assert found[name] == text if text else sorted(lines) == ["to err", "to out"]


@pytest.mark.parametrize("wrong", ["a/b", "result.json", "checkpoint_1", ".hidden", "", ("a",), ("a", 3), 3])
def test_a_name_that_no_log_can_have_is_refused(wrong):
    with pytest.raises(poptune.ConfigurationError, match="log_to_file"):
        poptune.RunConfig(log_to_file=wrong)


def test_functions_are_pickled_by_value():
    for pickle in (ray.cloudpickle, __import__("poptune.compat.ray.cloudpickle", fromlist=["dumps"])):
        assert pickle.loads(pickle.dumps(lambda x: x + 1))(1) == 2
