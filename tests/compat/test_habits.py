"""Habits of Ray's scripts: one seed of numpy's, metrics of any kind, names by registration."""

import functools

import numpy as np
import pytest

import poptune
from poptune.compat import ray
from poptune.compat.ray import tune
from poptune.compat.ray.tune.search import BasicVariantGenerator


def train(config):
    tune.report({"loss": config["x"]})


class Trains(tune.Trainable):
    def step(self):
        return {"loss": 1, "done": True}


@pytest.fixture
def numpys_state():
    state = np.random.get_state()
    yield
    np.random.set_state(state)


@pytest.fixture
def configs(inline, numpys_state):
    def drawn(**tune_config):
        tuner = tune.Tuner(
            train,
            param_space={"x": tune.uniform(0, 1)},
            tune_config=tune.TuneConfig(num_samples=3, **tune_config),
            run_config=inline(),
        )
        return [result.config["x"] for result in tuner.fit()]

    return drawn


def test_one_seed_of_numpys_makes_the_same_configs(configs):
    np.random.seed(1)
    first, second = configs(), configs()
    assert first != second
    np.random.seed(1)
    assert configs() == first
    assert configs() == second


@pytest.mark.parametrize(
    "state", [lambda: 3, lambda: np.random.default_rng(3), lambda: np.random.RandomState(3)]
)
def test_a_random_state_is_a_seed_or_a_generator(state, configs):
    assert configs(search_alg=BasicVariantGenerator(random_state=state())) == configs(
        search_alg=BasicVariantGenerator(random_state=state())
    )


class Thing:
    def __str__(self):
        return "a thing"


def test_a_metric_that_is_an_object_is_kept_as_its_text(inline, log):
    def report(config):
        for _ in range(2):
            tune.report(
                {
                    "loss": np.float32(0.5),
                    "array": np.arange(2),
                    "thing": Thing(),
                    "deep": {"things": [1, Thing()], "kinds": {1}},
                }
            )

    (result,) = tune.Tuner(report, run_config=inline()).fit()
    metrics = result.metrics
    assert (metrics["loss"], metrics["array"], metrics["thing"]) == (0.5, [0, 1], "a thing")
    assert metrics["deep"] == {"things": [1, "a thing"], "kinds": "{1}"}
    lines = [line for line in log() if "only the text is kept" in line]
    assert len(lines) == 3
    assert "The metric 'deep/things/1' is a Thing" in lines[1]


def test_so_is_one_of_a_class(inline, log):
    class Odd(tune.Trainable):
        def step(self):
            return {"odd": Thing(), "done": True}

    (result,) = tune.Tuner(Odd, run_config=inline()).fit()
    assert result.metrics["odd"] == "a thing"
    assert len(log()) == 1


def test_what_is_no_dict_is_an_error_as_before(inline):
    (result,) = tune.Tuner(lambda config: tune.report([1]), run_config=inline()).fit()
    assert "report() takes a dict of metrics, got [1]" in str(result.error)


@pytest.mark.parametrize(("code", "value"), [(train, 2), (tune.with_parameters(train), 2), (Trains, 1)])
def test_a_registered_name_names_trials_and_may_have_a_slash(code, value):
    tune.register_trainable("group/code", code)
    (trial,) = tune.run("group/code", config={"x": 2}, verbose=0).trials
    assert trial.trainable_name == "group/code"
    assert str(trial) == f"group/code_{trial.trial_id}"
    assert trial.path.rpartition("/")[2].startswith("group_code_")
    assert trial.last_result["loss"] == value


def test_without_an_end_there_must_be_a_number_of_trials():
    with pytest.raises(poptune.ConfigurationError, match="say how many trials .* time_budget_s ends them"):
        tune.TuneConfig(num_samples=-1, time_budget_s=60)


def adds_a_word(config, data):
    data["words"].append("a")
    return {"words": len(data["words"])}


class AddsAWord(tune.Trainable):
    def setup(self, config, data):
        self.data = data

    def step(self):
        return {**adds_a_word(self.config, self.data), "done": True}


DATA = {"words": []}


@pytest.mark.parametrize(
    "make",
    [
        lambda: tune.with_parameters(adds_a_word, data=DATA),
        lambda: tune.with_parameters(AddsAWord, data=DATA),
        lambda: functools.partial(gets_and_adds, reference=ray.put(DATA)),
    ],
)
def test_what_a_trial_does_to_an_object_that_it_is_given_reaches_no_other(make, inline):
    grid = tune.Tuner(make(), tune_config=tune.TuneConfig(num_samples=3), run_config=inline()).fit()
    assert [result.metrics["words"] for result in grid] == [1, 1, 1]
    assert DATA == {"words": []}


def gets_and_adds(config, reference):
    return adds_a_word(config, ray.get(reference))


def test_arrays_are_not_copied_for_it(inline):
    array = np.zeros(3)
    assert ray.get(ray.put({"array": array}))["array"] is array
