from __future__ import annotations

import argparse
import copy
import dataclasses
import doctest
import types
import zlib
from collections import deque
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import poptune.search_space.space
from poptune.errors import ConfigurationError
from poptune.schedulers import PopulationBasedTraining
from poptune.search_space import (
    Resolved,
    choice,
    entries,
    grid_search,
    place,
    randint,
    resolve,
    sample_from,
    uniform,
    validate,
)

KEYS = st.text("abc", min_size=1, max_size=2)
LEAVES = st.sampled_from([uniform(0, 1), randint(0, 9), choice(["x", "y"]), 0.5, "word", None])
SPACES = st.recursive(
    st.dictionaries(KEYS, LEAVES, max_size=4),
    lambda inner: st.dictionaries(KEYS, LEAVES | inner, max_size=4),
    max_leaves=12,
)


@dataclasses.dataclass
class Net:
    lr: Any


class Pair(NamedTuple):
    left: Any
    right: Any


class Rows(list[Any]):
    """A list that draws nothing."""


def endless(value: Any) -> Any:
    if isinstance(value, dict):
        value["self"] = value
    else:
        value.append(value)
    return value


def ring_of_lists() -> list[Any]:
    inner: list[Any] = []
    inner.append([inner])
    return inner


def generator(path: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(path.encode()))


def draw(space: dict[str, Any], **kwargs: Any) -> Resolved:
    return resolve(space, generator=generator, **kwargs)


# validate


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (uniform(0, 1), r"param_space must be a dict of hyperparameters, got uniform\(0, 1\)"),
        (None, r"param_space must be a dict of hyperparameters, got None: write \{name: value\}"),
        ({3: 1}, r"Keys of param_space must be non-empty strings, got 3: name it"),
        ({"": 1}, r"must be non-empty strings, got ''"),
        ({"optimizer": {"adam": {0: 1}}}, r"non-empty strings, got 0 at `optimizer.adam`"),
        ({"optimizer": choice([{1: 2}])}, r"non-empty strings, got 1 at `optimizer`"),
        ({"a.b": 1, "a": {"b": 2}}, r"a dotted path of its own, got `a.b` twice"),
        ({"a": choice([grid_search([1])])}, r"cannot be unrolled, got one at `a`: use choice"),
        ({"a": {"b": [1, grid_search([1])]}}, r"cannot be unrolled, got one at `a.b.1`"),
        ({"a": choice([{"b": grid_search([1])}])}, r"cannot be unrolled, got one at `a.b`"),
        ({"a": grid_search([grid_search([1])])}, r"cannot be unrolled, got one at `a`"),
        ({"a": Pair(1, grid_search([1]))}, r"cannot be unrolled, got one at `a.right`"),
        (
            {"a": {"b": Net(uniform(0, 1))}},
            r"uniform\(0, 1\) at `a.b.lr` is in a Net, .*write a dict .*`a.b`",
        ),
        ({"a": Net({"x": [1, Net(choice([1]))]})}, r"choice\(\[1\]\) at `a.lr.x.1.lr` is in a Net"),
        ({"a": [argparse.Namespace(lr=uniform(0, 1))]}, r"at `a.0.lr` is in a Namespace"),
        ({"a": types.SimpleNamespace(lr=grid_search([1]))}, r"at `a.lr` is in a SimpleNamespace"),
        ({"a": {uniform(0, 1)}}, r"at `a.0` is in a set, .*make the set of it in the training code"),
        ({"a": deque([1, uniform(0, 1)])}, r"at `a.1` is in a deque"),
        ({"a": Rows([1, uniform(0, 1)])}, r"at `a.1` is in a Rows"),
        ({"a": choice([Net(1), Net(sample_from(lambda: 1))])}, r"at `a.lr` is in a Net"),
        ({"a": endless([1])}, r"must come to an end, but the list at `a` holds itself at `a.1`"),
        ({"a": {"b": choice([1, endless([1])])}}, r"the list at `a.b` holds itself at `a.b.1`"),
        (endless({}), r"the dict at `param_space` holds itself at `self`"),
        ({"a": ring_of_lists()}, r"the list at `a` holds itself at `a.0.0`"),
        ({"a": endless({"b": 1})}, r"must come to an end, but the dict at `a` holds itself at `a.self`"),
    ],
)
def test_a_malformed_space_is_refused_with_the_path(space: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        validate(space)


def test_validate_calls_the_space_what_the_caller_calls_it() -> None:
    with pytest.raises(ConfigurationError, match="hyperparam_mutations must be a dict"):
        validate([], what="hyperparam_mutations")  # type: ignore[arg-type]


@given(SPACES)
def test_a_space_of_nested_dicts_is_valid(space: dict[str, Any]) -> None:
    validate(space)


def test_any_constant_may_stand_in_a_space() -> None:
    ring = types.SimpleNamespace(lr=0.1, scheduler=PopulationBasedTraining(hyperparam_mutations={"lr": [1]}))
    ring.next, ring.row = ring, endless(Rows([1]))
    shared = [1, 2]
    validate({"net": Net([0.1, {"x": deque([1])}]), "ring": ring, "one": shared, "other": [shared, shared]})
    validate({"a": None, "b": [1, {"c": 2}], "d": object(), "e": {}, "f": grid_search([{}, None])})


# resolve


@given(SPACES)
def test_a_config_has_the_shape_of_its_space(space: dict[str, Any]) -> None:
    resolved = draw(space)
    assert list(entries(resolved.config)) == list(entries(space))
    for path, entry in entries(space).items():
        value = entries(resolved.config)[path]
        if path in resolved.sampled:
            assert entry.contains(value)
            assert resolved.sampled[path] == value
        else:
            assert value == entry


@given(SPACES, KEYS)
def test_another_key_changes_no_draw(space: dict[str, Any], key: str) -> None:
    larger = {f"new_{key}": uniform(0, 1), **space}
    assert draw(larger).sampled.items() >= draw(space).sampled.items()


def test_sampled_holds_what_is_drawn_in_the_order_of_the_space() -> None:
    space = {
        "z": sample_from(lambda spec: spec.config.a.b),
        "constant": 1,
        "a": {"b": uniform(0, 1), "c": 2},
        "grid": grid_search([1, 2]),
    }
    assert list(draw(space, grid={"grid": 2}).sampled) == ["z", "a.b", "grid"]


def test_a_config_shares_no_container_with_its_space() -> None:
    space = {"layers": [1, [2]], "optimizer": {"betas": (0.9, [0.99])}, "c": choice([[1]])}
    before = copy.deepcopy(space)
    resolved = draw(space)
    resolved.config["layers"][1].append(3)
    resolved.config["optimizer"]["betas"][1].append(4)
    resolved.config["optimizer"]["new"] = 5
    resolved.config["c"].append(6)
    assert space == before
    assert resolved.sampled == {"c": [1]}


def test_objects_that_are_no_containers_are_passed_on_as_they_are() -> None:
    data = object()
    assert draw({"data": data}).config["data"] is data


def test_lists_and_tuples_may_hold_domains() -> None:
    resolved = draw({"layers": [randint(8, 9), 5, (uniform(1, 1), "a")]})
    assert resolved.config == {"layers": [8, 5, (1.0, "a")]}
    assert resolved.sampled == {"layers.0": 8, "layers.2.0": 1.0}


def test_a_named_tuple_may_hold_domains_and_keeps_its_names() -> None:
    resolved = draw({"a": Pair(randint(8, 9), [uniform(1, 1)]), "b": Pair(1, 2)})
    assert resolved.config == {"a": Pair(8, [1.0]), "b": Pair(1, 2)}
    assert {type(value) for value in resolved.config.values()} == {Pair}
    assert resolved.sampled == {"a.left": 8, "a.right.0": 1.0}


def test_a_grid_search_needs_its_value() -> None:
    assert draw({"a": {"b": grid_search([1, 2])}}, grid={"a.b": 2}).config == {"a": {"b": 2}}
    with pytest.raises(ConfigurationError, match=r"known before anything is drawn, got one at `a`"):
        draw({"a": grid_search([1])})


# Branches


BRANCHES = {
    "optimizer": choice(
        [{"name": "adam"}, {"name": "sgd", "momentum": uniform(0.1, 0.9), "nested": {"x": 1}}]
    )
}


def test_only_the_chosen_branch_is_drawn() -> None:
    found = set()
    for seed in range(20):
        asked: list[str] = []

        def fresh(path: str, seed: int = seed, asked: list[str] = asked) -> np.random.Generator:
            asked.append(path)
            return np.random.default_rng([seed, zlib.crc32(path.encode())])

        config = resolve(BRANCHES, generator=fresh).config["optimizer"]
        found.add(config["name"])
        if config["name"] == "adam":
            assert config == {"name": "adam"}
            assert asked == ["optimizer"]
        else:
            assert 0.1 <= config["momentum"] <= 0.9
            assert asked == ["optimizer", "optimizer.momentum"]
    assert found == {"adam", "sgd"}


def test_every_value_of_a_chosen_branch_counts_as_sampled() -> None:
    space = {"optimizer": choice([BRANCHES["optimizer"].categories[1]])}
    assert list(draw(space).sampled) == [
        "optimizer.name",
        "optimizer.momentum",
        "optimizer.nested.x",
    ]


def test_a_choice_between_domains_draws_from_the_chosen_one() -> None:
    values = {
        resolve(
            {"lr": choice([uniform(0, 1), uniform(5, 6)])},
            generator=lambda path, seed=seed: np.random.default_rng(seed),
        ).config["lr"]
        for seed in range(200)
    }
    low = [value for value in values if value <= 1]
    high = [value - 5 for value in values if value >= 5]
    for part in (low, high):
        assert len(part) == pytest.approx(100, abs=30)
        assert np.mean(part) == pytest.approx(0.5, abs=0.1)


def test_a_branch_of_a_grid_is_drawn_too() -> None:
    option = {"name": "sgd", "momentum": uniform(0.5, 0.5)}
    resolved = draw({"o": grid_search([option])}, grid={"o": option})
    assert resolved.config == {"o": {"name": "sgd", "momentum": 0.5}}


# sample_from


def test_sample_from_reads_the_config_by_attribute_and_by_key() -> None:
    space = {
        "optimizer": {"lr": 0.5, "list": [1, uniform(2, 2)]},
        "a": sample_from(lambda spec: spec.config.optimizer.lr),
        "b": sample_from(lambda spec: spec.config["optimizer"]["lr"]),
        "c": sample_from(lambda spec: spec.config.get("absent", 7)),
        "d": sample_from(lambda spec: dict(spec.config.optimizer)),
        "e": sample_from(lambda spec: len(spec.config) + spec.config.optimizer.list[1]),
        "f": sample_from(lambda: 8),
        "g": sample_from(lambda spec: repr(spec.config.optimizer)),
    }
    config = draw(space).config
    assert [config[key] for key in "abcef"] == [0.5, 0.5, 7, 10.0, 8]
    assert config["d"] == {"lr": 0.5, "list": [1, 2.0]}
    assert config["g"] == "<config with lr, list>"


def test_sample_from_entries_may_wait_for_each_other_in_any_order() -> None:
    calls: list[str] = []

    def counted(name: str, function: Any) -> Any:
        return sample_from(lambda spec: (calls.append(name), function(spec))[1])

    space = {
        "c": counted("c", lambda spec: spec.config.b + 1),
        "inner": {"a": counted("a", lambda spec: spec.config.lr * 2)},
        "b": counted("b", lambda spec: spec.config.inner.a + 1),
        "lr": uniform(3, 3),
    }
    assert draw(space).config == {"c": 8.0, "inner": {"a": 6.0}, "b": 7.0, "lr": 3.0}
    assert sorted(calls) == ["a", "b", "c"]


def test_sample_from_reads_the_value_of_a_grid_and_of_a_chosen_branch() -> None:
    space = {
        "a": sample_from(lambda spec: spec.config.grid * spec.config.branch.x),
        "grid": grid_search([2, 3]),
        "branch": choice([{"x": uniform(5, 5)}]),
    }
    assert draw(space, grid={"grid": 3}).config["a"] == 15.0


def test_sample_from_may_return_a_domain_or_a_part_of_the_config() -> None:
    space = {
        "top": 4,
        "a": sample_from(lambda spec: uniform(spec.config.top, 4)),
        "b": sample_from(lambda spec: spec.config.part),
        "part": {"x": uniform(1, 1)},
    }
    assert draw(space).config == {"top": 4, "a": 4.0, "b": {"x": 1.0}, "part": {"x": 1.0}}


def test_a_copy_of_the_config_is_a_plain_dict() -> None:
    space = {"x": {"y": {"z": 1}}, "a": sample_from(lambda spec: copy.deepcopy(spec.config.x))}
    assert draw(space).config["a"] == {"y": {"z": 1}}
    space["a"] = sample_from(lambda spec: type(copy.deepcopy(spec.config.x)["y"]))
    assert draw(space).config["a"] is dict


def test_sample_from_that_waits_for_itself_is_refused_with_the_paths() -> None:
    space = {
        "a": sample_from(lambda spec: spec.config.b.c),
        "b": {"c": sample_from(lambda spec: spec.config.d)},
        "d": sample_from(lambda spec: spec.config.b.c),
    }
    with pytest.raises(ConfigurationError, match=r"wait for each other, got b.c -> d -> b.c: let"):
        draw(space)


def test_an_error_of_the_users_function_names_the_path() -> None:
    space = {"model": {"width": sample_from(lambda spec: 1 / 0)}}
    message = r"sample_from at `model.width` must return a value, but it raised ZeroDivisionError: "
    with pytest.raises(ConfigurationError, match=message) as caught:
        draw(space)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_an_absent_key_is_named() -> None:
    space = {"a": sample_from(lambda spec: spec.config.rate)}
    with pytest.raises(ConfigurationError, match=r"`a` .* AttributeError: the config has no 'rate'"):
        draw(space)


def test_a_configuration_error_within_a_function_notes_the_path() -> None:
    space = {"a": sample_from(lambda: uniform("x", 1))}
    with pytest.raises(ConfigurationError, match="uniform needs finite") as caught:
        draw(space)
    assert caught.value.__notes__ == ["This happened while `a` was computed."]


# fixed


SPACE = {
    "optimizer": {"lr": uniform(0, 1), "momentum": uniform(0, 1)},
    "branch": choice([{"x": 1}]),
    "layers": [uniform(0, 1)],
    "epochs": 3,
    "data.size": randint(1, 10),
}


@pytest.mark.parametrize("fixed", [{"optimizer": {"lr": 7}}, {"optimizer.lr": 7}])
def test_fixed_values_replace_entries_and_leave_the_others(fixed: dict[str, Any]) -> None:
    free, resolved = draw(SPACE), draw(SPACE, fixed=fixed)
    assert resolved.config["optimizer"]["lr"] == 7
    assert resolved.sampled == free.sampled | {"optimizer.lr": 7}


def test_a_fixed_constant_is_not_sampled() -> None:
    resolved = draw(SPACE, fixed={"epochs": 9, "data.size": 5})
    assert (resolved.config["epochs"], resolved.config["data.size"]) == (9, 5)
    assert "epochs" not in resolved.sampled
    assert resolved.sampled["data.size"] == 5


def test_fixed_may_be_none_or_a_whole_branch() -> None:
    resolved = draw(SPACE, fixed={"optimizer.lr": None, "branch": {"x": 2}, "layers": [4]})
    assert resolved.config["optimizer"]["lr"] is None
    assert resolved.config["branch"] == {"x": 2}
    assert resolved.config["layers"] == [4]


def test_sample_from_sees_fixed_values() -> None:
    space = {"a": sample_from(lambda spec: spec.config.lr), "lr": uniform(0, 1)}
    assert draw(space, fixed={"lr": 5}).config["a"] == 5


@pytest.mark.parametrize(
    ("fixed", "message"),
    [
        ({"epoch": 1}, r"fixed must only name keys of the space, got `epoch`: .* `epochs`\?"),
        ({"optimizer": {"lrr": 1}}, r"fixed: optimizer must only .* `lrr`: did you mean `lr`\?"),
        ({"optimizer.momentun": 1}, r"got `momentun`: did you mean `momentum`\?"),
        ({"momentum": 1}, r"got `momentum`: did you mean `optimizer.momentum`\?"),
        ({"zzz": 1}, r"got `zzz`: use one of optimizer, branch, layers, epochs, data.size, opt"),
        ({"optimizer": 1}, r"fixed: `optimizer` is a dict in the space, got 1: give a dict"),
        ({"branch.x": 1}, r"`branch` is one entry .* `branch.x` only: give the whole of `branch`"),
        ({"layers.0": 1}, r"give the whole of `layers`"),
    ],
)
def test_a_fixed_key_outside_the_space_is_refused(fixed: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        draw(SPACE, fixed=fixed)


def test_placing_placed_values_changes_nothing() -> None:
    placed = place(SPACE, {"optimizer": {"lr": 1}, "data.size": 2, "branch": {"x": 3}})
    assert placed == {"optimizer.lr": 1, "data.size": 2, "branch": {"x": 3}}
    assert place(SPACE, placed) == placed


def test_the_examples_in_the_docstrings_run() -> None:
    assert doctest.testmod(poptune.search_space.space).failed == 0
