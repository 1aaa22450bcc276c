from __future__ import annotations

import csv
import math

import pytest

from poptune._base.types import TrialId
from poptune._core.events import Restarted, Resumed
from poptune.loggers import CsvLogger

A = TrialId("e_00000")


@pytest.fixture
def logger(shown) -> CsvLogger:
    logger = CsvLogger()
    shown.loggers.append(logger)
    shown.show(shown.created({}, {}))
    return logger


def rows(shown, index: int = 0) -> list[dict[str, str]]:
    with shown.layout.progress(f"trial_{index}").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_each_result_is_a_row_in_its_trials_file(shown, logger) -> None:
    shown.show(shown.result(0, 1, loss=0.5), shown.result(1, 1, loss=math.nan))
    shown.show(shown.result(0, 2, loss=0.25), shown.result(0, 3, loss=1e-300))
    assert shown.layout.progress("trial_0").read_text() == (
        "training_iteration,loss\n1,0.5\n2,0.25\n3,1e-300\n"
    )
    assert rows(shown, 1) == [{"training_iteration": "1", "loss": "nan"}]


def test_a_new_key_gets_a_column_and_a_missing_one_an_empty_cell(shown, logger) -> None:
    shown.show(shown.result(0, 1, loss=0.5))
    shown.show(shown.result(0, 2, loss=0.4, accuracy=0.9))
    shown.show(shown.result(0, 3))
    assert rows(shown) == [
        {"training_iteration": "1", "loss": "0.5", "accuracy": ""},
        {"training_iteration": "2", "loss": "0.4", "accuracy": "0.9"},
        {"training_iteration": "3", "loss": "", "accuracy": ""},
    ]


def test_nested_metrics_are_written_flat(shown, logger) -> None:
    shown.show(shown.result(0, 1, test={"loss": 0.5, "by_class": {"cat": 1}}))
    assert rows(shown) == [{"training_iteration": "1", "test/loss": "0.5", "test/by_class/cat": "1"}]


@pytest.mark.parametrize("text", ["a,b", 'say "so"', "two\nlines", "naïve ☃", " spaces "])
def test_any_text_comes_back(shown, logger, text: str) -> None:
    shown.show(shown.result(0, 1, **{text: text}))
    shown.show(shown.result(0, 2, **{text: "x"}))
    assert [row[text] for row in rows(shown)] == [text, "x"]


def test_rows_that_a_restart_made_void_vanish(shown, logger) -> None:
    shown.show(
        shown.result(0, 1, checkpoint=1, loss=1), shown.result(0, 2, loss=1), shown.result(0, 3, loss=1)
    )
    shown.show(Restarted(trial=A, cause="failure"))
    assert [row["training_iteration"] for row in rows(shown)] == ["1"]
    shown.show(shown.result(0, 2, loss=2))
    assert [(row["training_iteration"], row["loss"]) for row in rows(shown)] == [("1", "1"), ("2", "2")]


def test_a_column_of_void_rows_only_vanishes_with_them(shown, logger) -> None:
    shown.show(shown.result(0, 1, checkpoint=1))
    shown.show(shown.result(0, 2, once=1))
    shown.show(Restarted(trial=A, cause="failure"))
    shown.show(shown.result(0, 2))
    assert shown.layout.progress("trial_0").read_text() == "training_iteration\n1\n2\n"


def test_after_a_resume_the_file_is_that_of_the_journal(shown, logger) -> None:
    shown.show(shown.result(0, 1, loss=1), shown.result(0, 2, loss=2))
    shown.layout.progress("trial_0").write_text("torn")
    shown.loggers[:] = [CsvLogger()]
    shown.show(Resumed(time_s=1.0))
    assert [row["loss"] for row in rows(shown)] == ["1", "2"]
    shown.show(shown.result(0, 3, loss=3))
    assert [row["loss"] for row in rows(shown)] == ["1", "2", "3"]
    assert not shown.layout.progress("trial_1").exists(), "it has no results"


def test_a_logger_that_did_not_see_the_beginning_keeps_it(shown, logger) -> None:
    shown.show(shown.result(0, 1, loss=1))
    shown.loggers[:] = [CsvLogger()]
    shown.show(shown.result(0, 2, loss=2))
    assert [row["loss"] for row in rows(shown)] == ["1", "2"]
