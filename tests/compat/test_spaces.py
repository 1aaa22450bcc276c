"""Grids that are written out, domains that are sampled by hand, and functions of the config."""

import numpy as np
import pytest

import poptune
from poptune.compat.ray import tune
from poptune.compat.ray.tune.schedulers import PopulationBasedTraining


def train(config):
    tune.report({"loss": 1.0})


@pytest.fixture
def configs(inline):
    def drawn(space, **tune_config):
        tuner = tune.Tuner(
            train, param_space=space, tune_config=tune.TuneConfig(**tune_config), run_config=inline()
        )
        return [result.config for result in tuner.fit()]

    return drawn


def test_a_grid_that_is_written_out_is_a_grid(configs):
    assert configs({"lr": {"grid_search": [0.1, 0.01]}, "x": 1}) == [
        {"lr": 0.1, "x": 1},
        {"lr": 0.01, "x": 1},
    ]


def test_so_it_is_at_any_depth_beside_any_other(configs):
    space = {
        "a": {"b": {"c": {"grid_search": [1, 2]}, "d": 0}},
        "e": tune.grid_search(["x", "y"]),
        "f": {"grid_search": [3], "other": 4},
        "g": [{"h": 5}],
    }
    found = configs(space, num_samples=2)
    assert len(found) == 8
    assert {(config["a"]["b"]["c"], config["e"]) for config in found} == {
        (1, "x"), (1, "y"), (2, "x"), (2, "y"),
    }  # fmt: skip
    assert all(config["f"] == {"grid_search": [3], "other": 4} for config in found)
    assert space["a"]["b"]["c"] == {"grid_search": [1, 2]}


def test_run_takes_it_too():
    analysis = tune.run(train, config={"lr": {"grid_search": [1, 2]}}, verbose=0)
    assert [trial.evaluated_params for trial in analysis.trials] == [{"lr": 1}, {"lr": 2}]


@pytest.mark.parametrize("grid", [5, "ab", [], {"a": 1}])
def test_a_grid_without_values_is_refused(grid):
    with pytest.raises(poptune.ConfigurationError, match="grid_search needs"):
        tune.Tuner(train, param_space={"lr": {"grid_search": grid}})


def test_a_grid_within_a_list_is_refused():
    with pytest.raises(poptune.ConfigurationError, match="cannot be unrolled"):
        tune.Tuner(train, param_space={"layers": [{"grid_search": [1, 2]}]})


def test_a_text_to_evaluate_is_refused_with_the_line_to_write():
    with pytest.raises(poptune.ConfigurationError, match=r"sample_from\(lambda spec: spec.config.x \* 2\)"):
        tune.Tuner(train, param_space={"a": {"b": {"eval": "spec.config.x * 2"}}})


def test_a_value_that_holds_itself_and_a_single_callback_are_refused_in_words():
    endless = []
    endless.append(endless)
    with pytest.raises(poptune.ConfigurationError, match="must come to an end"):
        tune.run(train, config={"list": endless})
    with pytest.raises(poptune.ConfigurationError, match="callbacks must be a list of callbacks"):
        tune.run(train, callbacks=tune.Callback())


@pytest.mark.parametrize(
    "mutations", [{"lr": {"grid_search": [1, 2]}}, {"deep": {"lr": {"grid_search": [1, 2]}}}]
)
def test_a_grid_among_the_mutations_is_refused(mutations):
    with pytest.raises(poptune.ConfigurationError, match=r"lr' must be .* write the list \[1, 2\] here"):
        PopulationBasedTraining(hyperparam_mutations=mutations)


DOMAINS = {
    "uniform": tune.uniform(0, 1),
    "quniform": tune.quniform(0, 1, 0.1),
    "loguniform": tune.loguniform(1e-4, 1e-1),
    "randint": tune.randint(0, 10),
    "lograndint": tune.lograndint(1, 10),
    "randn": tune.randn(0, 1),
    "choice": tune.choice(["a", "b", "c"]),
}


@pytest.mark.parametrize("kind", DOMAINS)
def test_a_domain_is_sampled_by_hand(kind):
    domain = DOMAINS[kind]
    assert domain.contains(domain.sample())
    assert domain.contains(domain.func(None))
    several = domain.sample(size=20)
    assert len(several) == 20
    assert all(map(domain.contains, several))
    assert len(set(several)) > 1


@pytest.mark.parametrize("kind", DOMAINS)
def test_what_is_sampled_by_hand_follows_from_numpys_seed(kind):
    state = np.random.get_state()
    try:
        np.random.seed(3)
        first = DOMAINS[kind].sample(size=5), DOMAINS[kind].sample()
        np.random.seed(3)
        assert (DOMAINS[kind].sample(size=5), DOMAINS[kind].sample()) == first
    finally:
        np.random.set_state(state)
    rng = np.random.default_rng(1)
    assert DOMAINS[kind].sample(rng) == DOMAINS[kind].sample(np.random.default_rng(1))


@pytest.mark.parametrize(
    "function",
    [
        lambda: tune.loguniform(1e-4, 1e-1).sample(),
        lambda: tune.loguniform(1e-4, 1e-1).func(None),
        lambda: tune.loguniform(1e-4, 1e-1),
    ],
)
def test_a_mutation_may_sample_a_domain_or_return_one(function, inline):
    def learn(config):
        for step in range(6):
            state = tune.Checkpoint.from_dict({"step": step})
            tune.report({"loss": config["start"], "lr": config["lr"]}, checkpoint=state)

    scheduler = PopulationBasedTraining(
        time_attr="training_iteration",
        metric="loss",
        mode="min",
        perturbation_interval=2,
        resample_probability=1.0,
        hyperparam_mutations={"lr": function},
        synch=True,
    )
    results = tune.Tuner(
        learn,
        param_space={"lr": 1.0, "start": tune.grid_search([1, 2])},
        tune_config=tune.TuneConfig(scheduler=scheduler),
        run_config=inline(),
    ).fit()
    assert results.num_errors == 0
    assert 1e-4 <= results[1].config["lr"] <= 1e-1


@pytest.mark.parametrize(
    "function",
    [
        lambda config: config["a"] * 2,
        lambda config: config["deep"]["b"] * 2 - 18,
        lambda config: config.get("a") * 2,
        lambda spec: spec.config.a * 2,
        lambda spec: spec.config["a"] * 2,
        lambda spec: spec["config"]["a"] * 2,
        lambda spec: spec.config.deep.b * 2 - 18,
        lambda spec: dict(spec.config)["a"] * 2,
        lambda: 2,
    ],
)
def test_sample_from_takes_functions_of_the_config_and_of_the_spec(function, configs):
    space = {"a": tune.choice([1]), "deep": {"b": tune.choice([10])}}
    if function.__code__.co_names[:1] == ("dict",):
        space = {"a": tune.choice([1])}
        function = lambda spec: {key: spec.config[key] for key in ("a",)}["a"] * 2  # noqa: E731
    assert [config["c"] for config in configs({**space, "c": tune.sample_from(function)})] == [2]


def test_a_key_that_is_called_config_is_read_by_its_name(configs):
    (config,) = configs({"config": 5, "c": tune.sample_from(lambda config: config["config"] + 1)})
    assert config["c"] == 6


def test_what_a_function_computes_is_sampled_by_hand():
    assert tune.sample_from(lambda _: 5).sample() == 5
    assert tune.sample_from(lambda _: 5).sample(size=3) == [5, 5, 5]
    assert tune.sample_from(lambda spec: spec).func(7) == 7
    assert tune.sample_from(lambda: 5).func(None) == 5


def test_a_choice_may_be_of_what_a_generator_gives():
    assert tune.choice(value for value in (1, 2)).categories == tune.choice([1, 2]).categories
    with pytest.raises(poptune.ConfigurationError, match="choice"):
        tune.choice("ab")
