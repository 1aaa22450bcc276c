"""Loggers of the user's own in whole runs: they are told all, stored with the experiment, and end none."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from climbers import climb, fit

import poptune as tune
from poptune.loggers import JsonLogger, Logger, TrialLogger


class Notes(TrialLogger):
    """Writes a line for each thing into a file of the experiment's."""

    def __init__(self, file="notes"):
        self.file = file

    def begin(self, run):
        self.note(run, f"begin {'again' if run.resumed else run.metric}")

    def on_result(self, run, trial, result):
        self.note(run, f"result {trial.index} {result.iteration}")

    def on_exploit(self, run, trial, takeover):
        self.note(run, f"exploit {trial.index} {takeover.weights_from.index}")

    def on_end(self, run, trial):
        self.note(run, f"end {trial.index} {trial.status}")

    def end(self, run):
        self.note(run, f"complete {run.population.completed}")

    def note(self, run, text):
        with run.path.joinpath(self.file).open("a") as file:
            print(text, file=file)


class Raw(Logger):
    def observe(self, events, run):
        Notes("raw").note(run, ", ".join(type(event).__name__ for event in events))
        assert list(run.journal())[-len(events) :] == list(events), "they are in the journal already"


def _index(trial_id):
    return int(trial_id[-5:])


def notes(path, file="notes"):
    return (path / "run" / file).read_text().splitlines()


def test_a_logger_hears_of_a_whole_run(tmp_path):
    results = fit(tmp_path, loggers=["json", Notes()])
    said = notes(tmp_path)
    assert (said[0], said[-1]) == ("begin height", "complete True")
    told = sorted(line for line in said if line.startswith("result"))
    assert told == [f"result {trial} {iteration}" for trial in range(4) for iteration in range(1, 9)]
    exploits = sorted(
        f"exploit {_index(edge.recipient)} {_index(edge.donor)}" for edge in results.lineage.exploits
    )
    assert sorted(line for line in said if line.startswith("exploit")) == exploits != []
    assert [line for line in said if line.startswith("end")] == [f"end {i} TERMINATED" for i in range(4)]
    assert Path(results[0].path, "result.json").exists()


def test_a_logger_comes_back_with_a_restore_and_sees_that_it_is_one(tmp_path):
    fit(tmp_path, stop=3, loggers=[Notes("mine")])
    tune.Tuner.restore(tmp_path / "run", stop={"training_iteration": 5}).fit()
    said = notes(tmp_path, "mine")
    assert [line for line in said if line.startswith(("begin", "complete"))] == [
        "begin height",
        "complete True",
        "begin again",
        "complete True",
    ]
    assert said.count("result 0 5") == 1


def test_a_logger_that_raises_is_told_once_a_place_and_the_run_goes_on(tmp_path):
    class Stumbles(TrialLogger):
        def on_result(self, run, trial, result):
            raise OSError("no network")

        def on_end(self, run, trial):
            self.missing  # noqa: B018

    with pytest.warns(tune.PoptuneWarning) as caught:
        results = fit(tmp_path, loggers=[Stumbles(), Notes()])
    told = [str(warning.message) for warning in caught]
    assert len(told) == 2
    assert "The logger Stumbles raised OSError at test_loggers.py:" in told[0]
    assert "no network. The run goes on" in told[0]
    assert "'missing'" in told[1]
    assert [result.metrics["training_iteration"] for result in results] == [8, 8, 8, 8]
    assert "result 3 8" in notes(tmp_path), "the others hear all the same"


def test_a_logger_that_cannot_begin_is_told_nothing(tmp_path):
    class Offline(Notes):
        def begin(self, run):
            raise OSError("no network")

    with pytest.warns(tune.PoptuneWarning, match="The logger Offline raised OSError.*The run goes on"):
        fit(tmp_path, loggers=[Offline("none"), Notes()])
    assert not (tmp_path / "run/none").exists()
    assert notes(tmp_path)[-1] == "complete True"


def test_a_logger_that_cannot_be_pickled_runs_and_is_missed_at_a_restore(tmp_path):
    class Holds(Notes):
        def __init__(self):
            super().__init__()
            self.lock = threading.Lock()

    with pytest.warns(tune.PoptuneWarning, match=r"The loggers Holds cannot be pickled.*begin\(\)"):
        fit(tmp_path, stop=3, loggers=["json", Holds(), Notes("other")])
    assert notes(tmp_path)[-1] == "complete True"
    tune.Tuner.restore(tmp_path / "run", stop={"training_iteration": 5}).fit()
    assert notes(tmp_path).count("complete True") == 1
    assert notes(tmp_path, "other").count("complete True") == 2


def test_a_logger_that_was_forgotten_may_be_given_to_a_restore(tmp_path):
    fit(tmp_path, stop=3)
    config = tune.RunConfig(loggers=[Notes()])
    tune.Tuner.restore(tmp_path / "run", stop={"training_iteration": 5}, run_config=config).fit()
    assert notes(tmp_path)[0] == "begin again"


def test_the_raw_events_can_be_had_and_a_session_begins_with_how_it_came_to_be(tmp_path):
    fit(tmp_path, stop=3, loggers=[Raw()])
    assert notes(tmp_path, "raw")[0] == "Created, Planned"
    (tmp_path / "run/raw").unlink()
    tune.Tuner.restore(tmp_path / "run", stop={"training_iteration": 5}).fit()
    assert notes(tmp_path, "raw")[0].startswith("Resumed, Restarted")
    assert notes(tmp_path, "raw")[-1] == "Completed"


def test_a_logger_of_ours_may_be_given_as_an_object(tmp_path):
    result = fit(tmp_path, stop=3, loggers=[JsonLogger()])[0]
    tune.Tuner.restore(tmp_path / "run", stop={"training_iteration": 5}).fit()
    assert len((Path(result.path) / "result.json").read_text().splitlines()) == 5


def test_a_logger_is_told_the_end_of_a_run_that_fails_too(tmp_path):
    def explore(config):
        raise RuntimeError("of the user's")

    with pytest.raises(RuntimeError, match="of the user's"):
        fit(tmp_path, loggers=[Notes()], scheduler={"custom_explore_fn": explore})
    assert notes(tmp_path)[-1] == "complete False"


def test_a_name_that_is_almost_a_hook_is_told(tmp_path):
    class Misspelt(TrialLogger):
        def on_results(self, run, trial, result):
            pass

    with pytest.warns(tune.PoptuneWarning, match="Misspelt.on_results is no hook.*'on_result'"):
        tune.Tuner(climb, run_config=tune.RunConfig(storage_path=tmp_path, loggers=[Misspelt()]))
