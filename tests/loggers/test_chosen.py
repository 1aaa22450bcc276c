"""Loggers are chosen by name, ours or an installed package's, or given as objects."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from poptune.errors import ConfigurationError
from poptune.loggers import CsvLogger, JsonLogger, Logger, TensorBoardLogger, tensorboard
from poptune.loggers.chosen import check_loggers, loggers_of


class Mine(Logger):
    def observe(self, events, run) -> None:
        pass


@pytest.fixture
def installed(tmp_path: Path, monkeypatch) -> None:
    """A package that has a logger called ``tracker``, and one that is none."""
    info = tmp_path / "tracked-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tracked\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[poptune.loggers]\ntracker = tracked_logger:Tracker\nnothing = tracked_logger:Nothing\n"
    )
    (tmp_path / "tracked_logger.py").write_text(
        "from poptune.loggers import TrialLogger\n"
        "class Tracker(TrialLogger):\n"
        "    def on_result(self, run, trial, result):\n"
        "        run.path.joinpath('tracked').write_text(str(result.iteration))\n"
        "class Nothing:\n    pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "tracked_logger", raising=False)


def test_ours_have_names_and_others_are_objects_in_the_order_that_was_given() -> None:
    mine = Mine()
    chosen = loggers_of(["csv", mine, "json", "tensorboard"])
    assert [type(one) for one in chosen] == [CsvLogger, Mine, JsonLogger, TensorBoardLogger]
    assert chosen[1] is mine


def test_tensorboard_is_passed_over_by_name_where_it_is_missing_but_not_as_an_object(monkeypatch) -> None:
    monkeypatch.setattr(tensorboard, "is_installed", lambda: False)
    assert loggers_of(["tensorboard"]) == []
    with pytest.raises(ConfigurationError, match="pip install tensorboard"):
        TensorBoardLogger()


def test_a_package_may_name_its_loggers(installed) -> None:
    check_loggers(["tracker"])
    [logger] = loggers_of(["tracker"])
    assert type(logger).__name__ == "Tracker"


def test_what_a_package_names_must_be_a_logger(installed) -> None:
    with pytest.raises(ConfigurationError, match="'nothing' makes a Nothing"):
        loggers_of(["nothing"])


def test_an_unknown_name_is_refused_with_those_that_are_known(installed) -> None:
    with pytest.raises(ConfigurationError, match=r"csv, json, tensorboard, nothing, tracker.*'trakcer'"):
        check_loggers(["trakcer"])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (Mine, r"make an object of the class, Mine\(...\)"),
        (object(), r"RunConfig\(callbacks=\[...\]\)"),
        (None, r"RunConfig\(callbacks=\[...\]\)"),
    ],
)
def test_what_is_no_logger_is_refused_with_what_to_do(wrong, said) -> None:
    with pytest.raises(ConfigurationError, match=said):
        check_loggers(["csv", wrong])


def test_a_single_logger_is_refused_for_a_list_of_them() -> None:
    with pytest.raises(ConfigurationError, match="loggers must be a list"):
        check_loggers(Mine())  # type: ignore[arg-type]
