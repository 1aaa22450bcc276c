from __future__ import annotations

import doctest
import importlib
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poptune.errors import ConfigurationError
from poptune.search_space import (
    Resolved,
    choice,
    grid_search,
    randint,
    sample_from,
    trial_tag,
    uniform,
    variants,
)


def generator(index: int, path: str) -> np.random.Generator:
    return np.random.default_rng([index, zlib.crc32(path.encode())])


def draw(space: dict[str, Any], num_samples: int, **kwargs: Any) -> list[Resolved]:
    return variants(space, num_samples=num_samples, generator=generator, **kwargs)


# variants


@given(st.integers(1, 5), st.integers(1, 3), st.integers(1, 3))
def test_there_are_as_many_trials_as_samples_times_combinations(n: int, a: int, b: int) -> None:
    space = {
        "lr": uniform(0, 1),
        "a": grid_search(range(a)),
        "inner": {"b": grid_search(range(b))},
    }
    found = draw(space, n)
    assert len(found) == n * a * b
    assert len({variant.config["lr"] for variant in found}) == len(found)


def test_the_first_grid_varies_fastest_and_the_samples_slowest() -> None:
    space = {"a": grid_search([1, 2]), "b": grid_search(["x", "y"])}
    pairs = [(variant.config["a"], variant.config["b"]) for variant in draw(space, 2)]
    assert pairs == [(1, "x"), (2, "x"), (1, "y"), (2, "y")] * 2


def test_each_trial_draws_from_generators_of_its_index() -> None:
    asked: list[tuple[int, str]] = []

    def recorded(index: int, path: str) -> np.random.Generator:
        asked.append((index, path))
        return generator(index, path)

    variants({"a": {"b": uniform(0, 1)}, "c": uniform(0, 1)}, num_samples=2, generator=recorded)
    assert asked == [(0, "a.b"), (0, "c"), (1, "a.b"), (1, "c")]


def test_a_larger_population_begins_with_the_smaller_one() -> None:
    space = {"lr": uniform(0, 1), "optimizer": choice(["adam", "sgd"])}
    assert draw(space, 5)[:3] == draw(space, 3)


def test_points_are_given_to_the_first_trials_and_count_as_samples() -> None:
    space = {"lr": uniform(0, 1), "optimizer": {"momentum": uniform(0, 1)}}
    points = [{"lr": 5}, {"optimizer": {"momentum": 6}}]
    free, found = draw(space, 3), draw(space, 3, points_to_evaluate=points)
    assert len(found) == 3
    assert found[0].sampled == free[0].sampled | {"lr": 5}
    assert found[1].sampled == free[1].sampled | {"optimizer.momentum": 6}
    assert found[2] == free[2]


def test_a_point_that_fixes_a_grid_value_is_not_combined_with_the_others() -> None:
    space = {"a": grid_search([1, 2]), "b": grid_search([3, 4])}
    found = draw(space, 2, points_to_evaluate=[{"a": 9}])
    pairs = [(variant.config["a"], variant.config["b"]) for variant in found]
    assert pairs == [(9, 3), (9, 4), (1, 3), (2, 3), (1, 4), (2, 4)]


def test_the_points_are_left_as_they_were() -> None:
    point = {"layers": [1, 2]}
    found = draw({"layers": choice([[1]])}, 1, points_to_evaluate=[point])
    found[0].config["layers"].append(3)
    assert point == {"layers": [1, 2]}


def test_a_space_without_domains_gives_equal_configs() -> None:
    assert [variant.config for variant in draw({"a": 1}, 2)] == [{"a": 1}, {"a": 1}]


@pytest.mark.parametrize("num_samples", [0, -1, 1.5, True, None])
def test_num_samples_must_be_a_number_of_trials(num_samples: Any) -> None:
    with pytest.raises(ConfigurationError, match="num_samples must be a whole number above 0, got"):
        draw({"a": 1}, num_samples)


def test_more_points_than_samples_are_refused() -> None:
    message = "at most num_samples=1 configs, got 2: raise num_samples or drop points"
    with pytest.raises(ConfigurationError, match=message):
        draw({"a": 1}, 1, points_to_evaluate=[{"a": 1}, {"a": 2}])


def test_an_unknown_key_of_a_point_is_refused_with_the_points_number() -> None:
    message = r"points_to_evaluate\[1\] must only name keys .* `lrr`: did you mean `lr`\?"
    with pytest.raises(ConfigurationError, match=message):
        draw({"lr": uniform(0, 1)}, 2, points_to_evaluate=[{"lr": 1}, {"lrr": 2}])


def test_a_point_that_is_no_dict_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"points_to_evaluate\[0\] must be a dict, got 3"):
        draw({"lr": uniform(0, 1)}, 1, points_to_evaluate=[3])


def test_a_malformed_space_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="non-empty strings, got 1"):
        draw({1: 2}, 1)  # type: ignore[dict-item]


def test_the_examples_in_the_docstrings_run() -> None:
    module = importlib.import_module("poptune.search_space.variants")
    assert doctest.testmod(module).failed == 0


# trial_tag


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.417022004702574, "0.4170"),
        (0.0001, "0.0001"),
        (0.00009999, "9.999e-05"),
        (1.234e-5, "1.234e-05"),
        (-1.234e-5, "-1.234e-05"),
        (0.0, "0.0000"),
        (999999.0, "999999.0000"),
        (1e6, "1.000e+06"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (np.float32(0.5), "0.5000"),
        (64, "64"),
        (10**7, "10000000"),
        (True, "True"),
        (None, "None"),
        ("leaky relu/v2", "leaky_relu_v2"),
        ((1, 2), "_1__2_"),
        (np.random.Generator, "Generator"),
        ("x" * 100, "x" * 32),
    ],
)
def test_a_tag_shows_a_value_in_a_few_safe_characters(value: object, shown: str) -> None:
    assert trial_tag(0, {"x": value}) == f"0_x={shown}"


def test_a_tag_names_the_index_and_the_sampled_values() -> None:
    assert trial_tag(3, {"lr": 0.07012, "momentum": 0.1774}) == "3_lr=0.0701,momentum=0.1774"
    assert trial_tag(0, {}) == "0"


def test_a_tag_shows_the_last_part_of_a_path_where_that_is_enough() -> None:
    sampled = {"generator.lr": 1, "critic.lr": 2, "model.width": 3, "layers.0": 4}
    assert trial_tag(0, sampled) == "0_generator.lr=1,critic.lr=2,width=3,layers.0=4"


def test_a_tag_is_safe_whatever_the_keys() -> None:
    assert trial_tag(0, {"model/lr rate": 1}) == "0_model_lr_rate=1"


def test_the_tag_of_a_drawn_trial_holds_what_was_drawn() -> None:
    space = {
        "epochs": 5,
        "width": randint(7, 8),
        "optimizer": choice([{"name": "sgd", "momentum": uniform(0.5, 0.5)}]),
        "half": sample_from(lambda spec: spec.config.width / 2),
    }
    (variant,) = draw(space, 1)
    assert trial_tag(0, variant.sampled) == "0_width=7,name=sgd,momentum=0.5000,half=3.5000"
