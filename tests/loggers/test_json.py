from __future__ import annotations

import json
import math
from collections import OrderedDict

import numpy as np
import pytest

from poptune._base.types import TrialId
from poptune._core.events import Planned, Restarted, Resumed
from poptune._core.scheduler import Decision, Plan, Run
from poptune.loggers import JsonLogger
from poptune.loggers.files import as_json

A, B = TrialId("e_00000"), TrialId("e_00001")


@pytest.fixture
def logger(shown) -> JsonLogger:
    logger = JsonLogger()
    shown.loggers.append(logger)
    shown.show(shown.created({"lr": 0.1, "net": {"depth": 2}}, {"lr": 0.2}))
    return logger


def lines(shown, index: int = 0) -> list[dict]:
    text = shown.layout.results(f"trial_{index}").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def params(shown, index: int = 0) -> dict:
    return json.loads(shown.layout.params(f"trial_{index}").read_text(encoding="utf-8"))


def new_config(trial: TrialId, config: dict | None) -> Planned:
    return Planned(plan=Plan(decisions=(Decision(trial=trial, next=Run(), config=config),)))


def test_each_result_is_a_line_in_its_trials_file(shown, logger) -> None:
    shown.show(shown.result(0, 1, loss=0.5, name="naïve"), shown.result(1, 1, loss=math.nan))
    shown.show(shown.result(0, 2, loss=[1, {"deep": None}]))
    assert lines(shown) == [
        {"training_iteration": 1, "loss": 0.5, "name": "naïve"},
        {"training_iteration": 2, "loss": [1, {"deep": None}]},
    ]
    assert repr(lines(shown, 1)) == "[{'training_iteration': 1, 'loss': nan}]"


def test_results_that_a_restart_made_void_vanish(shown, logger) -> None:
    shown.show(shown.result(0, 1, checkpoint=1, try_=1), shown.result(0, 2, try_=1), shown.result(1, 1))
    shown.show(Restarted(trial=A, cause="failure"))
    assert [line["training_iteration"] for line in lines(shown)] == [1]
    shown.show(shown.result(0, 2, try_=2))
    assert [(line["training_iteration"], line["try_"]) for line in lines(shown)] == [(1, 1), (2, 2)]


def test_a_result_and_the_restart_after_it_may_come_in_one_step(shown, logger) -> None:
    shown.show(shown.result(0, 1, checkpoint=1))
    shown.show(shown.result(0, 2), Restarted(trial=A, cause="failure"), shown.result(0, 2, again=True))
    assert [(line["training_iteration"], "again" in line) for line in lines(shown)] == [(1, False), (2, True)]


def test_a_restart_that_makes_nothing_void_leaves_the_file_alone(shown, logger) -> None:
    shown.show(shown.result(0, 1, checkpoint=1))
    path = shown.layout.results("trial_0")
    path.write_text("untouched\n")
    shown.show(Restarted(trial=A, cause="evicted"))
    assert path.read_text() == "untouched\n"


def test_after_a_resume_all_files_are_those_of_the_journal(shown, logger) -> None:
    shown.show(shown.result(0, 1), shown.result(1, 1), shown.result(1, 2))
    shown.layout.results("trial_0").write_text('{"half": 1}\n{"torn')
    shown.layout.results("trial_1").unlink()
    shown.layout.params("trial_0").unlink()
    shown.loggers[:] = [JsonLogger()]
    shown.show(Resumed(time_s=1.0))
    assert lines(shown) == [{"training_iteration": 1}]
    assert [line["training_iteration"] for line in lines(shown, 1)] == [1, 2]
    assert params(shown)["lr"] == 0.1


def test_the_params_are_the_config_now(shown, logger) -> None:
    assert params(shown) == {"lr": 0.1, "net": {"depth": 2}}
    assert params(shown, 1) == {"lr": 0.2}
    shown.show(new_config(A, {"lr": 0.5}), new_config(B, None))
    assert params(shown) == {"lr": 0.5}
    assert params(shown, 1) == {"lr": 0.2}


def test_numpy_numbers_in_a_config_are_numbers_and_other_values_their_text(shown, logger) -> None:
    config = {
        "lr": np.float32(0.5),
        "batch": np.int64(32),
        "nesterov": np.bool_(True),
        "grid": np.arange(3),
        "net": OrderedDict,
        "pair": (1, 2),
    }
    shown.show(new_config(A, config))
    assert params(shown) == {
        "lr": 0.5,
        "batch": 32,
        "nesterov": True,
        "grid": [0, 1, 2],
        "net": "<class 'collections.OrderedDict'>",
        "pair": [1, 2],
    }


def test_nothing_but_the_files_is_left(shown, logger) -> None:
    shown.show(shown.result(0, 1), Resumed(time_s=0.0))
    assert {file.name for file in shown.layout.trial("trial_0").iterdir()} == {"params.json", "result.json"}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (np.exp, "<ufunc 'exp'>"),
        (np.float32, "<class 'numpy.float32'>"),
        (np.arange(2), [0, 1]),
        (np.float64(0.5), 0.5),
        (np.dtype("f4"), "dtype('float32')"),
    ],
)
def test_what_numpy_has_is_written_as_numbers_or_as_its_text(value, written) -> None:
    assert as_json(value) == written
