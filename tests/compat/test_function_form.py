"""What a function returns or yields is a result, as in Ray; a plain return gives up its trial."""

import functools

import numpy as np
import pytest

import poptune
from poptune.compat.ray import tune
from poptune.compat.ray.tune.schedulers import PopulationBasedTraining


@pytest.fixture
def fit(inline):
    def once(function, space=None, **run):
        return tune.Tuner(function, param_space=space or {}, run_config=inline(**run)).fit()

    return once


def squares(config):
    return {"score": config["a"] ** 2}


def square_of(config, offset):
    return {"score": config["a"] ** 2 + offset}


def ends_at_once(config):
    return


def nothing_to_yield(config):
    yield from ()


def test_a_dict_that_is_returned_is_the_result(fit):
    (result,) = fit(squares, {"a": 3})
    assert result.error is None
    assert result.metrics["score"] == 9
    assert result.metrics["training_iteration"] == 1


@pytest.mark.parametrize("number", [7, 0.5, 0, np.float32(2), True])
def test_a_number_that_is_returned_is_the_metric_without_a_name(fit, number):
    (result,) = fit(lambda config: number)
    assert result.metrics["_metric"] == number


def test_each_thing_that_is_yielded_is_a_result(fit):
    def count(config):
        for step in range(3):
            yield {"score": step}
        yield 4

    (result,) = fit(count)
    assert list(result.metrics_dataframe["score"].dropna()) == [0, 1, 2]
    assert result.metrics["_metric"] == 4
    assert result.metrics["training_iteration"] == 4


def test_reports_come_before_what_is_returned(fit):
    def both(config):
        tune.report({"score": 1})
        return {"score": 2}

    (result,) = fit(both)
    assert list(result.metrics_dataframe["score"]) == [1, 2]


@pytest.mark.parametrize("function", [ends_at_once, nothing_to_yield, lambda config: {}])
def test_a_function_may_give_up_its_trial_without_a_report(fit, function):
    (result,) = fit(function)
    assert result.status == "TERMINATED"
    assert result.error is None
    assert result.metrics == {"config": {}}


def yields_it(config):
    yield {"score": config["lr"]}


def returns_it(config, offset=0):
    return {"score": config["lr"] + offset}


@pytest.mark.parametrize("function", [yields_it, returns_it, tune.with_parameters(returns_it, offset=1)])
def test_a_mutated_value_that_a_function_names_nowhere_is_told_beforehand(function, inline):
    def made(key):
        scheduler = PopulationBasedTraining(
            metric="score", mode="max", hyperparam_mutations={key: tune.uniform(0, 1)}
        )
        tune.Tuner(
            function,
            param_space={"lr": 1},
            tune_config=tune.TuneConfig(num_samples=2, scheduler=scheduler),
            run_config=inline(),
        )

    with pytest.warns(poptune.PoptuneWarning, match="changes 'learning_rate', but (yield|return)s_it names"):
        made("learning_rate")
    made("lr")


def test_natively_the_same_is_an_error(inline):
    with pytest.raises(poptune.AllTrialsFailedError, match="ended without a report"):
        poptune.Tuner(ends_at_once, run_config=inline()).fit()


@pytest.mark.parametrize(
    "make",
    [
        lambda: tune.with_parameters(square_of, offset=1),
        lambda: functools.partial(square_of, offset=1),
        lambda: tune.with_resources(functools.partial(square_of, offset=1), {"cpu": 1}),
        lambda: tune.with_resources(tune.with_parameters(square_of, offset=1), {"cpu": 1}),
    ],
)
def test_a_function_with_further_arguments_returns_its_result_too(fit, make):
    (result,) = fit(make(), {"a": 2})
    assert result.metrics["score"] == 5
    assert result.path.rpartition("/")[2].startswith("square_of_")


def test_a_registered_function_and_one_that_is_given_to_run_return_theirs():
    tune.register_trainable("squares", squares)
    analysis = tune.run("squares", config={"a": tune.grid_search([1, 2])}, verbose=0)
    assert [trial.last_result["score"] for trial in analysis.trials] == [1, 4]


def test_a_generator_is_closed_when_a_stop_condition_ends_its_trial(fit):
    left = []

    def endless(config):
        try:
            while True:
                yield {"score": 1}
        finally:
            left.append(True)

    (result,) = fit(endless, stop={"training_iteration": 2})
    assert result.metrics["training_iteration"] == 2
    assert left == [True]


def test_what_is_neither_a_dict_nor_a_number_is_an_error_that_says_so(fit):
    (result,) = fit(lambda config: "done")
    assert "must return or yield a dict of metrics, a number or nothing, got a str" in str(result.error)


def test_the_config_is_of_the_kind_that_a_function_gets_natively(fit, inline):
    kinds = []

    def note(config):
        kinds.append(type(config))
        tune.report({"loss": config["a"]})

    fit(note, {"a": 1})
    poptune.Tuner(note, param_space={"a": 1}, run_config=inline()).fit()
    assert len(kinds) == 2
    assert kinds[0] is kinds[1]


def test_done_in_a_report_is_its_trials_last(fit):
    def train(config):
        for step in range(10):
            tune.report({"loss": step, "done": np.bool_(step >= 2)})

    (result,) = fit(train, stop={"training_iteration": 20})
    assert result.metrics["training_iteration"] == 3
    assert result.metrics["done"] is True


def test_done_in_what_is_yielded_is_its_trials_last(fit):
    def train(config):
        for step in range(10):
            yield {"done": step == 1}

    (result,) = fit(train)
    assert result.metrics["training_iteration"] == 2
