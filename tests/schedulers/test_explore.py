from __future__ import annotations

import argparse
import functools
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import cloudpickle
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

import poptune as tune
from poptune._base.copies import copied
from poptune._base.equality import index_of, same
from poptune._core.random import derived_generator
from poptune.errors import ConfigurationError
from poptune.schedulers import Perturb
from poptune.schedulers.explore import fill_missing
from poptune.search_space.values import without_numpy_scalars

DRAWS = 1500


def draw_with(seed: int):
    return lambda path: derived_generator(seed, f"explore:{path}")


def many(value: Any, mutation: Any, draws: int = DRAWS, **options: Any) -> list[Any]:
    """What becomes of a value, many times."""
    perturb = Perturb(mutations={"x": mutation}, **options)
    return [perturb.perturbed({"x": value}, draw_with(seed))["x"] for seed in range(draws)]


def shares(values: list[Any]) -> dict[Any, float]:
    return {value: count / len(values) for value, count in Counter(values).items()}


def near(expected: float) -> Any:
    return pytest.approx(expected, abs=4 * (expected * (1 - expected) / DRAWS) ** 0.5 + 1e-9)


def test_a_listed_value_moves_one_place_to_either_side() -> None:
    found = shares(many(3, [1, 2, 3, 4, 5], resample_probability=0.0))
    assert found == {2: near(0.5), 4: near(0.5)}


def test_at_the_edges_of_a_list_a_value_stays_or_steps_inward() -> None:
    assert shares(many(1, [1, 2, 3], resample_probability=0.0)) == {1: near(0.5), 2: near(0.5)}
    assert shares(many(3, (1, 2, 3), resample_probability=0.0)) == {3: near(0.5), 2: near(0.5)}
    assert shares(many(1, [1], draws=50, resample_probability=0.0)) == {1: 1.0}


def test_a_value_that_is_not_in_the_list_becomes_any_that_is() -> None:
    third = near(1 / 3)
    assert shares(many(7, [1, 2, 3], resample_probability=0.0)) == {1: third, 2: third, 3: third}


def test_a_listed_value_is_resampled_with_its_probability() -> None:
    found = shares(many(1, [1, 2, 3, 4], resample_probability=0.6))
    assert found == {1: near(0.35), 2: near(0.35), 3: near(0.15), 4: near(0.15)}


def test_an_ordinal_moves_like_a_list() -> None:
    assert shares(many(2, tune.ordinal([1, 2, 3]), resample_probability=0.0)) == {
        1: near(0.5),
        3: near(0.5),
    }


def test_a_listed_string_moves_too() -> None:
    assert shares(many("b", ["a", "b", "c"], resample_probability=0.0)) == {"a": near(0.5), "c": near(0.5)}


def test_a_number_is_multiplied_by_a_factor_chosen_at_random() -> None:
    found = shares(many(0.5, tune.uniform(0, 1), resample_probability=0.0, factors=(1.2, 0.8, 0.5)))
    third = near(1 / 3)
    assert found == {0.6: third, 0.4: third, 0.25: third}


def test_a_number_is_resampled_with_its_probability() -> None:
    values = many(0.5, tune.uniform(0, 1), resample_probability=0.3)
    fresh = [value for value in values if value not in {0.6, 0.4}]
    assert len(fresh) / DRAWS == near(0.3)
    assert np.mean(fresh) == pytest.approx(0.5, abs=0.06)
    assert np.std(fresh) == pytest.approx(12**-0.5, abs=0.04)


def test_a_callable_is_called_for_a_fresh_sample_and_else_the_value_is_multiplied() -> None:
    found = shares(many(10.0, lambda: 99.0, resample_probability=0.25))
    assert found == {99.0: near(0.25), 12.0: near(0.375), 8.0: near(0.375)}


def test_zero_is_resampled_since_no_factor_moves_it() -> None:
    values = many(0.0, tune.uniform(0, 1), draws=50, resample_probability=0.0)
    assert all(value > 0 for value in values)
    assert set(many(0, lambda: 7, draws=10, resample_probability=0.0)) == {7}


@pytest.mark.parametrize("value", [True, False, np.True_, np.False_], ids=repr)
@pytest.mark.parametrize("mutation", [tune.choice([True, False]), lambda: "fresh"])
def test_a_bool_changes_by_resampling_only(value, mutation) -> None:
    kept = many(value, mutation, draws=50, resample_probability=0.0)
    assert all(found is value or found == value for found in kept)
    assert {type(found) for found in kept} == {type(value)}
    assert len(set(many(True, tune.choice([True, False]), draws=50, resample_probability=1.0))) == 2


def test_a_category_is_resampled_or_stays() -> None:
    found = shares(many("sgd", tune.choice(["sgd", "adam"]), resample_probability=0.5))
    assert found == {"sgd": near(0.75), "adam": near(0.25)}


def test_a_numeric_category_stays_rather_than_leave_its_choice() -> None:
    assert set(many(16, tune.choice(["sixteen", 16, 32]), draws=60)) <= {"sixteen", 16, 32}


def test_a_category_with_domains_in_it_is_drawn_whole() -> None:
    space = tune.choice([{"name": "sgd", "lr": tune.uniform(1, 2)}, {"name": "adam"}])
    stays = {"name": "sgd", "lr": 1.5}
    perturb = Perturb(mutations={"optimizer": space}, resample_probability=0.5)
    found = [perturb.perturbed({"optimizer": stays}, draw_with(s))["optimizer"] for s in range(100)]
    assert stays in found
    assert {"name": "adam"} in found
    fresh = [value for value in found if value["name"] == "sgd" and value != stays]
    assert fresh
    assert all(1 <= value["lr"] <= 2 for value in fresh)


@pytest.mark.parametrize(
    ("value", "mutation", "expected"),
    [
        (1, tune.randint(1, 100), {1, 2}),
        (2, tune.randint(1, 100), {1, 3}),
        (1, lambda: 5, {0, 2}),
        (-1, tune.randint(-10, 0), {-2, -1}),
        (-2, lambda: 5, {-3, -1}),
        (np.int64(1), lambda: 5, {0, 2}),
        (9, tune.randint(1, 10), {9, 7}),
        (100, tune.randint(1, 1000), {120, 80}),
    ],
)
def test_an_int_moves_by_at_least_one_where_the_bounds_allow_it(value, mutation, expected) -> None:
    assert set(many(value, mutation, draws=60, resample_probability=0.0)) == expected


@pytest.mark.parametrize(
    ("value", "factor", "expected"), [(1, 1.2, 2), (2, 0.8, 1), (-1, 1.2, -2), (-2, 0.8, -1), (1, 0.8, 0)]
)
def test_the_least_move_of_an_int_goes_where_the_factor_points(value: int, factor: float, expected) -> None:
    assert set(many(value, lambda: 99, draws=5, resample_probability=0.0, factors=(factor,))) == {expected}


@pytest.mark.parametrize(
    ("value", "mutation", "expected"),
    [
        (32, tune.qrandint(32, 256, 32), {32, 64}),
        (64, tune.qrandint(32, 256, 32), {32, 96}),
        (0.1, tune.quniform(0, 1, 0.1), {0.0, 0.2}),
        (0.2, tune.quniform(0.1, 1, 0.1), {0.1, 0.3}),
        (1.0, tune.quniform(0.1, 1, 0.1), {0.8, 1.0}),
        (-4.0, tune.qrandn(0, 1, 2), {-6.0, -2.0}),
        (1.0, tune.randint(0, 9), {0.0, 2.0}),
    ],
)
def test_a_value_on_a_grid_moves_to_another_point_of_the_grid(value, mutation, expected) -> None:
    assert set(many(value, mutation, draws=60, resample_probability=0.0)) == expected


def test_a_factor_of_one_moves_nothing() -> None:
    assert set(many(1, tune.randint(1, 9), draws=30, resample_probability=0.0, factors=(1.0,))) == {1}


@pytest.mark.parametrize(
    ("value", "mutation"),
    [
        (3, tune.randint(1, 9)),
        (3, lambda: 5),
        (np.int32(3), tune.randint(1, 9)),
        (np.int64(3), lambda: np.int64(5)),
        (3.0, tune.uniform(0, 9)),
        (np.float32(3), tune.uniform(0, 9)),
        (np.float64(3), lambda: np.float64(3)),
        (3.0, tune.randint(1, 9)),
    ],
)
def test_types_are_kept(value, mutation) -> None:
    assert {type(v) for v in many(value, mutation, draws=20, resample_probability=0.0)} == {type(value)}


@pytest.mark.parametrize("value", [1, np.int64(1)])
def test_an_int_in_a_domain_of_floats_is_a_float_that_keeps_to_the_bounds(value) -> None:
    found = many(value, tune.loguniform(1e-4, 1), draws=30, resample_probability=0.0)
    assert set(found) == {1.0, 0.8}
    assert {type(v) for v in found} == {float}


DOMAINS = [
    tune.uniform(-2, 3),
    tune.loguniform(1e-5, 10),
    tune.quniform(-1, 2, 0.25),
    tune.qloguniform(0.5, 64, 0.5),
    tune.randint(-5, 6),
    tune.lograndint(1, 1000),
    tune.qrandint(-20, 100, 10),
    tune.qlograndint(2, 64, 2),
    tune.randn(0, 3),
    tune.qrandn(0, 3, 0.5),
    tune.choice(["a", 3, None]),
    tune.ordinal([1, 2, 4, 8]),
]


@settings(max_examples=150, deadline=None)
@given(
    domain=st.sampled_from(DOMAINS),
    seed=st.integers(0, 10_000),
    factors=st.lists(st.sampled_from([0.01, 0.8, 1.0, 1.01, 1.2, 50.0]), min_size=1, max_size=3),
    resample=st.sampled_from([0.0, 0.25, 1.0]),
)
def test_a_value_never_leaves_its_domain(domain, seed, factors, resample) -> None:
    perturb = Perturb(mutations={"x": domain}, factors=factors, resample_probability=resample)
    config = {"x": domain.sample(derived_generator(seed, "start"))}
    for step in range(4):
        config = perturb.perturbed(config, draw_with(seed * 10 + step))
        assert domain.contains(config["x"]), (domain, config)


def test_a_value_from_outside_is_put_back_into_the_domain() -> None:
    assert set(many(50.0, tune.uniform(0, 1), draws=20, resample_probability=0.0)) == {1.0}
    assert set(many(50, tune.randint(0, 10), draws=20, resample_probability=0.0)) == {9}


def test_without_bounds_a_value_may_leave_the_range() -> None:
    options = {"resample_probability": 0.0, "respect_bounds": False, "draws": 40}
    assert set(many(1.0, tune.uniform(0, 1), **options)) == {1.2, 0.8}
    assert set(many(9, tune.randint(0, 10), **options)) == {11, 7}
    assert set(many(1, tune.randint(1, 10), **options)) == {0, 2}


def test_nested_dicts_are_explored_key_by_key() -> None:
    mutations = {"optimizer": {"lr": lambda: 9.0, "inner": {"beta": [1, 2, 3]}}}
    config = {"optimizer": {"lr": 1.0, "inner": {"beta": 2}, "fixed": "f"}, "model": "m"}
    perturb = Perturb(mutations=mutations, resample_probability=0.0)
    found = [perturb.perturbed(config, draw_with(seed)) for seed in range(60)]
    assert {c["optimizer"]["lr"] for c in found} == {1.2, 0.8}
    assert {c["optimizer"]["inner"]["beta"] for c in found} == {1, 3}
    assert {(c["optimizer"]["fixed"], c["model"]) for c in found} == {("f", "m")}
    assert len({(c["optimizer"]["lr"], c["optimizer"]["inner"]["beta"]) for c in found}) == 4
    assert config == {"optimizer": {"lr": 1.0, "inner": {"beta": 2}, "fixed": "f"}, "model": "m"}


def test_keys_are_explored_independently_of_one_another() -> None:
    alone = many(0.5, tune.uniform(0, 1), draws=50)
    both = Perturb(mutations={"a": [1, 2, 3], "x": tune.uniform(0, 1)})
    assert [both.perturbed({"a": 2, "x": 0.5}, draw_with(seed))["x"] for seed in range(50)] == alone


def test_a_mutated_key_that_the_config_lacks_is_sampled() -> None:
    perturb = Perturb(mutations={"new": [5], "deep": {"er": lambda: 6}})
    assert perturb.perturbed({}, draw_with(0)) == {"new": 5, "deep": {"er": 6}}


@pytest.mark.parametrize("found", [0.1, None, [1], "sgd"])
def test_a_value_where_the_mutations_have_a_dict_is_an_error_that_names_the_path(found) -> None:
    mutations = {"model": {"optimizer": {"lr": [1, 2]}}}
    config = {"model": {"optimizer": found}}
    with pytest.raises(ConfigurationError, match=r"must hold a dict at 'model.optimizer'"):
        Perturb(mutations=mutations).perturbed(config, draw_with(0))
    with pytest.raises(ConfigurationError, match=r"must hold a dict at 'model.optimizer'"):
        fill_missing(config, mutations, draw_with(0))


def test_the_custom_function_comes_last_and_once_with_the_whole_config() -> None:
    seen = []

    def custom(config):
        seen.append(dict(config))
        return {**config, "x": -1}

    perturb = Perturb(mutations={"x": [1], "nested": {"y": [2]}}, resample_probability=1.0, custom=custom)
    assert perturb.perturbed({"x": 7, "nested": {"y": 7}, "z": 3}, draw_with(0)) == {
        "x": -1,
        "nested": {"y": 2},
        "z": 3,
    }
    assert seen == [{"x": 1, "nested": {"y": 2}, "z": 3}]


@pytest.mark.parametrize("returned", [None, 3, [("x", 1)]])
def test_a_custom_function_that_returns_no_config_is_an_error(returned) -> None:
    perturb = Perturb(mutations={}, custom=lambda config: returned)
    with pytest.raises(ConfigurationError, match="custom_explore_fn must return the changed config"):
        perturb.perturbed({"x": 1}, draw_with(0))


def test_a_custom_function_may_change_its_config_in_place_without_touching_the_donors() -> None:
    def custom(config):
        config["layers"].append(3)
        config["pair"][0]["deep"] = 2
        return config

    donor = {"layers": [1, 2], "pair": ({"deep": 1},)}
    changed = Perturb(mutations={}, custom=custom).perturbed(donor, draw_with(0))
    assert changed == {"layers": [1, 2, 3], "pair": ({"deep": 2},)}
    assert donor == {"layers": [1, 2], "pair": ({"deep": 1},)}


def test_what_a_config_holds_besides_is_shared_and_not_copied() -> None:
    lock = threading.Lock()  # cannot be copied
    assert Perturb(mutations={}).perturbed({"data": [lock]}, draw_with(0))["data"][0] is lock


def test_only_missing_keys_are_filled_at_every_level() -> None:
    mutations = {"lr": tune.uniform(0, 1), "net": {"width": [64], "depth": lambda: 4}}
    config = {"lr": 5.0, "net": {"depth": 2}, "other": 1}
    assert fill_missing(config, mutations, draw_with(0)) == {
        "lr": 5.0,
        "net": {"depth": 2, "width": 64},
        "other": 1,
    }
    assert config == {"lr": 5.0, "net": {"depth": 2}, "other": 1}
    assert 0 <= fill_missing({}, mutations, draw_with(0))["lr"] <= 1


def relu(x: float) -> float:
    return max(x, 0)


def elu(x: float) -> float:
    return x


def unpickled(value: Any) -> Any:
    """What a restore makes of it."""
    return cloudpickle.loads(cloudpickle.dumps(value))


class Tanh:
    """A class of the script, whose objects say nothing of being equal."""

    def __init__(self, scale: float) -> None:
        self.scale = scale


ORDERED: dict[str, list[Any]] = {
    "functions": [relu, elu, lambda x: x + 1],
    "lambdas": [lambda x: x, lambda x: x + 1, lambda x: x + 2],
    "partials": [functools.partial(max, low) for low in (0, 1, 2)],
    "classes": [Tanh, dict, int],
    "objects": [Tanh(0.1), Tanh(0.2), Tanh(0.3)],
    "arrays": [np.zeros(2), np.ones(2), np.ones(3)],
    "dicts of arrays": [{"w": np.zeros(2)}, {"w": np.ones(2)}, {}],
    "torch functions": [torch.relu, torch.tanh, torch.sigmoid],
    "modules": [torch.nn.ReLU(), torch.nn.Tanh(), torch.nn.Linear(2, 2)],
    "tensors": [torch.zeros(2), torch.ones(2), torch.ones(3)],
    "dtypes": [torch.float16, torch.float32, torch.float64],
    "python modules": [argparse, functools, np],
    "not a number": [float("nan"), 1.0, 2.0],
    "numpy's own": [np.str_("a"), np.bool_(True), np.int64(3)],
    "mixed": [1, True, "a"],
}


@pytest.mark.parametrize("kind", ORDERED)
@pytest.mark.parametrize("is_ordinal", [False, True])
def test_values_of_any_kind_move_one_place_also_after_a_restore(kind: str, is_ordinal: bool) -> None:
    values = ORDERED[kind]
    mutation = tune.ordinal(values) if is_ordinal else values
    for place, value in enumerate(values):
        for own in (value, unpickled(value), *([value.item()] if isinstance(value, np.generic) else [])):
            moved = many(own, mutation, draws=30, resample_probability=0.0)
            beside = {max(place - 1, 0), min(place + 1, 2)}
            places = {index_of(*without_numpy_scalars((one, values))) for one in moved}
            assert places == beside


@given(
    values=st.lists(st.integers() | st.floats() | st.text() | st.booleans(), min_size=1, unique_by=repr),
    place=st.integers(min_value=0),
    seed=st.integers(0, 99),
)
def test_a_listed_value_never_jumps(values: list[Any], place: int, seed: int) -> None:
    place %= len(values)
    perturb = Perturb(mutations={"x": values}, resample_probability=0.0)
    moved = perturb.perturbed({"x": unpickled(values[place])}, draw_with(seed))["x"]
    first = index_of(values[place], values)
    assert first is not None
    assert any(moved is values[near] for near in range(max(first - 1, 0), min(first + 2, len(values))))


def test_what_a_custom_function_does_to_its_config_reaches_nobody_else() -> None:
    def change(config: dict[str, Any]) -> dict[str, Any]:
        config["array"] += 1
        config["args"].lr /= 2
        config["option"]["layers"].append(10)
        config["drawn"].append(1)
        return config

    mine = {"array": np.zeros(2), "args": argparse.Namespace(lr=1.0), "option": None, "drawn": None}
    before, option, drawn = copied(mine), {"layers": [64]}, [0]
    perturb = Perturb(
        mutations={"option": [option], "drawn": lambda: drawn}, resample_probability=1, custom=change
    )
    explored = perturb.perturbed(mine, draw_with(0))
    assert (list(explored["array"]), explored["args"].lr, explored["option"]) == (
        [1, 1],
        0.5,
        {"layers": [64, 10]},
    )
    assert same(mine, before)
    assert (option, drawn) == ({"layers": [64]}, [0])


def test_what_a_custom_function_keeps_it_cannot_change_afterwards() -> None:
    kept: list[Any] = []

    def keep(config: dict[str, Any]) -> dict[str, Any]:
        kept.append(config)
        return config

    explored = Perturb(mutations={}, custom=keep).perturbed({"layers": [64]}, draw_with(0))
    kept[0]["layers"].append(10)
    assert explored == {"layers": [64]}


def test_a_function_that_returns_a_domain_means_a_sample_of_it() -> None:
    mutations = {
        "x": lambda: tune.randint(3, 6),
        "deep": {"y": lambda: tune.choice([{"z": tune.uniform(0, 1)}])},
    }
    filled = [fill_missing({}, mutations, draw_with(seed)) for seed in range(50)]
    assert {config["x"] for config in filled} == {3, 4, 5}
    assert len({config["deep"]["y"]["z"] for config in filled}) == 50
    perturb = Perturb(mutations=mutations, resample_probability=1)
    assert perturb.perturbed(filled[0], draw_with(7)) == perturb.perturbed(filled[0], draw_with(7))
    assert {perturb.perturbed(filled[0], draw_with(seed))["x"] for seed in range(50)} == {3, 4, 5}


def test_domains_within_what_a_function_returns_are_drawn_from() -> None:
    mutations = {"x": lambda: [tune.randint(3, 6)], "y": lambda: {"z": (1, tune.uniform(0, 1))}}
    perturb = Perturb(mutations=mutations, resample_probability=1)
    for config in (fill_missing({}, mutations, draw_with(0)), perturb.perturbed({"x": [9]}, draw_with(1))):
        assert config["x"] in ([3], [4], [5])
        assert config["y"]["z"][0] == 1
        assert 0 <= config["y"]["z"][1] <= 1


class Attributes(dict):
    """A dict that reads by attributes, as of many libraries."""

    __getattr__ = dict.__getitem__


class Fixed(Mapping):
    """A mapping that is no dict, as a config of OmegaConf."""

    def __init__(self, **values: Any) -> None:
        self.values_of = values

    def __getitem__(self, key: str) -> Any:
        return self.values_of[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_of)

    def __len__(self) -> int:
        return len(self.values_of)


@pytest.mark.parametrize("kind", [Attributes, Fixed])
@pytest.mark.parametrize("resample_probability", [0.0, 1.0])
def test_a_mapping_among_the_options_is_a_plain_dict_ever_after(kind, resample_probability) -> None:
    options = [kind(size=kind(width=place)) for place in range(4)]
    plain = [{"size": {"width": place}} for place in range(4)]
    for mutation in (options, tune.ordinal(options), tune.choice(options), lambda: options[2]):
        found = [fill_missing({}, {"x": mutation}, draw_with(0))["x"]]
        found += many(plain[1], mutation, 20, resample_probability=resample_probability)
        assert all(type(each) is type(each["size"]) is dict and each in plain for each in found)
    moved = many(plain[1], options, 20, resample_probability=0.0)
    assert {each["size"]["width"] for each in moved} == {0, 2}, "it has its place in the list"


def test_a_mapping_that_a_custom_function_puts_in_is_a_plain_dict() -> None:
    perturb = Perturb(mutations={}, custom=lambda config: Attributes(config, deep=Fixed(y=2)))
    explored = perturb.perturbed({"x": 1}, draw_with(0))
    assert type(explored) is type(explored["deep"]) is dict
    assert explored == {"x": 1, "deep": {"y": 2}}


def test_a_function_that_raises_is_an_error_that_names_its_key() -> None:
    def broken() -> float:
        raise ZeroDivisionError("nothing to divide by")

    told = r"mutation of 'deep\.x' must return a value, but it raised ZeroDivisionError: nothing to divide by"
    with pytest.raises(ConfigurationError, match=told):
        fill_missing({}, {"deep": {"x": broken}}, draw_with(0))
    perturb = Perturb(mutations={"deep": {"x": broken}}, resample_probability=1)
    with pytest.raises(ConfigurationError, match=told):
        perturb.perturbed({"deep": {"x": 1.0}}, draw_with(0))
