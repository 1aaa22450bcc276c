"""A failed trial's error is of the type that the training raised."""

import concurrent.futures
import json
import pickle
import subprocess
import sys

import pytest

import poptune
from poptune.compat.ray import tune
from poptune.compat.ray.tune.error import last_raised, trial_failure

HEADER = 'Traceback (most recent call last):\n  File "train.py", line 3, in train\n    step()\n    ^^^^^^\n'
FOLLOWS = "\nDuring handling of the above exception, another exception occurred:\n\n"
CAUSED = "\nThe above exception was the direct cause of the following exception:\n\n"


class OwnError(Exception):
    def __init__(self, code, reason):
        super().__init__(code, reason)


def raises(config):
    kinds = {
        "memory": lambda: MemoryError("too large"),
        "key": lambda: KeyError("k"),
        "os": lambda: FileNotFoundError(2, "none", "file"),
        "unicode": lambda: UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"),
        "stop": lambda: StopIteration(3),
        "json": lambda: json.JSONDecodeError("bad", "text", 0),
        "process": lambda: subprocess.CalledProcessError(1, "ls"),
        "own": lambda: OwnError(1, "why"),
        "library": lambda: poptune.CheckpointError("of ours"),
    }
    error = kinds[config["kind"]]()
    raise error


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("memory", MemoryError),
        ("key", KeyError),
        ("os", FileNotFoundError),
        ("unicode", UnicodeDecodeError),
        ("json", json.JSONDecodeError),
        ("process", subprocess.CalledProcessError),
        ("own", OwnError),
        ("library", poptune.CheckpointError),
    ],
)
def test_an_error_is_of_the_type_that_was_raised(kind, expected, inline):
    results = tune.Tuner(raises, param_space={"kind": kind}, run_config=inline()).fit()
    (error,) = results.errors
    for one in (error, results[0].error, tune.ExperimentAnalysis(results).trials[0].error):
        assert isinstance(one, expected)
        assert isinstance(one, tune.TuneError)
        assert isinstance(one, poptune.results.TrialError)
        assert str(one).startswith("Traceback (most recent call last):")
        assert expected.__name__ in str(one)
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, expected)
    assert str(again) == str(error)
    with pytest.raises(expected):
        raise error


@pytest.mark.parametrize(
    ("story", "name"),
    [
        (f"{HEADER}ValueError: bad", "ValueError"),
        (f"{HEADER}ValueError", "ValueError"),
        (f"{HEADER}my.module.Error: bad\nKeyError: in its text", "my.module.Error"),
        (f"{HEADER}KeyError: 1\n{FOLLOWS}{HEADER}ValueError: 2", "ValueError"),
        (f"{HEADER}KeyError: 1\n{CAUSED}{HEADER}TypeError: 2\n{FOLLOWS}{HEADER}OSError: 3", "OSError"),
        (f"{HEADER}RuntimeError: it said:\n{HEADER}ValueError: inner", "RuntimeError"),
        ("The worker was killed", ""),
        ("ValueError: no traceback", ""),
        (f"{HEADER}", ""),
        ("", ""),
    ],
)
def test_the_type_is_read_from_where_a_traceback_names_it(story, name):
    assert last_raised(story) == name


@pytest.mark.parametrize(
    "named",
    [
        "nobody.knows.Error",
        "os.path",
        "print",
        "KeyboardInterrupt",
        "SystemExit",
        "ExceptionGroup",
        "antigravity.Error",
        "json.decoder.sys",
    ],
)
def test_what_is_no_type_of_an_error_here_makes_a_plain_failure(named):
    error = trial_failure(f"{HEADER}{named}: x")
    assert type(error).__name__ == "TrialFailureError"
    assert "antigravity" not in sys.modules


def test_a_type_of_a_module_that_is_loaded_is_found():
    error = trial_failure(f"{HEADER}concurrent.futures._base.CancelledError: x")
    assert isinstance(error, concurrent.futures.CancelledError)


def test_a_trial_that_ended_well_has_no_error(inline):
    (result,) = tune.Tuner(lambda config: 1, run_config=inline()).fit()
    assert result.error is None
