"""Metrics that a run waits for under another name than the one they are reported by."""

import pytest

from poptune._training.misspelt import check_first_result, meant_by
from poptune.errors import TrainingCodeError


@pytest.mark.parametrize(
    ("awaited", "reported"),
    [
        ("training_iterations", "training_iteration"),
        ("val_acuracy", "val_accuracy"),
        ("val_accuarcy", "val_accuracy"),
        ("val_accurasy", "val_accuracy"),
        ("epochs", "epoch"),
        ("val/loss", "val_loss"),
        ("valLoss", "val_loss"),
        ("Val-Loss", "val.loss"),
        ("test.acuracy", "test/accuracy"),
        ("time_total", "time_total_s"),
    ],
)
def test_a_slip_in_one_word_is_told(awaited, reported):
    assert meant_by(awaited, {"loss", reported}) == reported
    assert meant_by(reported, {"loss", awaited}) == awaited
    with pytest.raises(TrainingCodeError, match="give both one name"):
        check_first_result({"loss": 1.0, reported: 1.0}, [awaited])


@pytest.mark.parametrize(
    ("awaited", "reported"),
    [
        ("eval_accuracy", "val_accuracy"),
        ("eval/accuracy", "val/accuracy"),
        ("evaluation_accuracy", "validation_accuracy"),
        ("best_accuracy", "test_accuracy"),
        ("train_accuracy", "trial_accuracy"),
        ("accuracy_of_model_a", "accuracy_of_model_b"),
        ("accuracy_top1", "accuracy_top5"),
        ("accuracy_top_1", "accuracy_top_5"),
        ("accuracy_10", "accuracy_100"),
        ("validation_f1_micro", "validation_f1_macro"),
        ("validationF1Micro", "validationF1Macro"),
        ("intraclass_variance", "interclass_variance"),
        ("validation_mae", "validation_mape"),
        ("validation_mean", "validation_median"),
        ("min_validation_accuracy", "max_validation_accuracy"),
        ("accuracy", "val_accuracy"),
        ("val_acuracy", "eval_accuracy"),
        ("loss_é", "loss_è"),
        ("sensitivity+", "sensitivity"),
    ],
)
def test_names_that_differ_in_a_word_of_their_own_are_two_names(awaited, reported):
    assert meant_by(awaited, {"loss", reported}) == ""
    assert meant_by(reported, {"loss", awaited}) == ""
    check_first_result({"loss": 1.0, reported: 1.0}, [awaited])


def test_a_metric_that_is_nested_is_found_by_its_path():
    check_first_result({"test": {"accuracy": 1.0}}, ["test/accuracy"])


def test_what_every_result_has_is_told_too():
    with pytest.raises(TrainingCodeError, match="'training_iteration'"):
        check_first_result({"loss": 1.0}, ["training_iterations"])
