from __future__ import annotations

import math
import pickle
import sys
from pathlib import Path

import pytest

from poptune._base.types import TrialStatus
from poptune._core.events import Forgotten
from poptune.errors import CheckpointError, ConfigurationError, ExperimentError
from poptune.results import Result, TrialError

A, B = 0, 1


def test_the_metrics_are_the_last_result_and_the_config(tell) -> None:
    story = tell([{"net": {"depth": 3}}])
    story.report(A, 0.1)
    marker = story.report(A, 0.2)
    assert story.results[A].metrics == {
        "marker": marker,
        "training_iteration": 2,
        "score": 0.2,
        "config": {"net": {"depth": 3}},
    }


def test_a_result_that_a_restart_made_void_is_not_the_last(tell) -> None:
    story = tell()
    kept = story.report(A, 0.1, save=True)
    story.report(A, 0.9)
    story.crash(A)
    story.crash(A)
    assert story.results[A].metrics["marker"] == kept
    assert list(story.results[A].metrics_dataframe["marker"]) == [kept]


def test_metrics_of_a_trial_without_results_are_its_config_alone(tell) -> None:
    result = tell([{"lr": 1}]).results[A]
    assert result.metrics == {"config": {"lr": 1}}
    assert result.checkpoint is None
    assert result.best_checkpoints == []
    assert result.get_best_checkpoint() is None
    assert result.metrics_dataframe.empty


def test_the_data_frame_has_what_the_trial_reported_in_order_and_flattened(tell) -> None:
    story = tell()
    for _ in range(3):
        story.report(A, eval={"acc": {"top1": 0.5}, "none": {}}, note=None)
    story.report(B, save=True)
    story.exploit(A, B)
    story.report(A)
    frame = story.results[A].metrics_dataframe
    assert list(frame["training_iteration"]) == [1, 2, 3, 2]
    assert list(frame.columns[2:]) == ["eval/acc/top1", "eval/none", "note"]


def test_a_trial_knows_its_names_and_its_folder(tell) -> None:
    story = tell()
    story.end(A)
    result = story.results[A]
    assert (result.trial_id, result.tag, result.status) == ("abc_00000", "0_lr", TrialStatus.TERMINATED)
    assert result.log_dir == story.root / "train_0"
    assert result.path == str(story.root / "train_0")
    assert repr(result) == f"<Result of trial 0: TERMINATED, 0 iterations, {result.path}>"


def test_the_error_of_a_trial_is_the_traceback_that_was_recorded(tell) -> None:
    story = tell()
    story.end(A, error="Traceback: ...\nZeroDivisionError: division by zero")
    error = story.results[A].error
    assert isinstance(error, TrialError)
    assert str(error).endswith("ZeroDivisionError: division by zero")


def test_a_trial_that_failed_and_was_retried_has_no_error(tell) -> None:
    story = tell()
    story.crash(A)
    story.end(A)
    assert story.results[A].error is None


def test_the_checkpoint_is_that_of_the_final_state_even_if_a_donor_saved_it(tell) -> None:
    story = tell(files=True)
    story.report(A, save=True)
    donated = story.report(B, save=True)
    story.exploit(A, B)
    checkpoint = story.results[A].checkpoint
    assert checkpoint.id == "abc_00001/checkpoint_000001"
    assert checkpoint.to_dict() == {"marker": donated}


def test_best_checkpoints_are_ones_own_that_are_kept_each_with_its_result(tell) -> None:
    story = tell(files=True)
    for score in (0.1, 0.9, math.nan, 0.3):
        story.report(A, score, save=True)
        story.report(A, 1.0)
    story.tell(Forgotten(checkpoints=(story.trial(A).saved[0].id,)))
    result = story.results[A]
    assert [metrics["training_iteration"] for _, metrics in result.best_checkpoints] == [3, 5, 7]
    assert result.get_best_checkpoint().id == "abc_00000/checkpoint_000002"
    assert result.get_best_checkpoint("score", "min").id == "abc_00000/checkpoint_000004"


def test_the_best_checkpoint_by_a_metric_that_none_has_is_an_error(tell) -> None:
    story = tell(files=True)
    story.report(A, 0.5, save=True)
    with pytest.raises(ConfigurationError, match=r"got 'scor'; did you mean 'score'\?"):
        story.results[A].get_best_checkpoint("scor")


def test_a_checkpoint_whose_files_are_gone_is_an_error(tell) -> None:
    story = tell()
    story.report(A, save=True)
    with pytest.raises(CheckpointError):
        _ = story.results[A].checkpoint


def test_a_result_can_be_had_from_its_folder(tell) -> None:
    story = tell()
    marker = story.report(B)
    assert Result.from_path(story.root / "train_1").metrics["marker"] == marker
    assert Result.from_path(str(story.root / "train_1")).tag == "1_lr"


def test_a_folder_of_no_trial_is_an_error_that_names_the_nearest(tell, tmp_path: Path) -> None:
    story = tell()
    with pytest.raises(ExperimentError, match="no trial 'train_7'; did you mean 'train_1'"):
        Result.from_path(story.root / "train_7")
    with pytest.raises(ExperimentError, match=r"experiment\.db in it"):
        Result.from_path(tmp_path / "nowhere" / "trial")


class Model:
    """Would be opened from objects.pkl, if that was ever read."""


def test_values_that_are_no_data_appear_as_text_and_nothing_is_opened(tell) -> None:
    story = tell([{"model": Model, "lr": 0.1}])
    story.root.joinpath("objects.pkl").write_bytes(pickle.dumps(print))
    story.report(A)
    config = story.results[A].config
    assert config["lr"] == 0.1
    assert "Model" in repr(config["model"])
    assert config["model"] is not Model


def test_results_are_pickled_without_what_they_have_read(tell) -> None:
    story = tell()
    marker = story.report(A)
    assert pickle.loads(pickle.dumps(story.results))[A].metrics["marker"] == marker


def test_without_pandas_the_message_says_what_to_install(tell, monkeypatch) -> None:
    story = tell()
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r'pip install "poptune\[pandas\]"'):
        _ = story.results[A].metrics_dataframe
