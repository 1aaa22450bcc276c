"""Mutated keys and the space: a dotted path means the nested key; a slip of the pen is told."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

import poptune as tune
from poptune.errors import ConfigurationError
from poptune.schedulers import Perturb, PopulationBasedTraining
from poptune.schedulers.placing import leaves, placed

M = [1, 2]
PLACES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "a path": ({"a.b": M}, {"a": {"b": 1}}, {"a": {"b": M}}),
    "a long path": ({"a.b.c": M}, {"a": {"b": {"c": 1}}}, {"a": {"b": {"c": M}}}),
    "a path within a dict": ({"a": {"b.c": M}}, {"a": {"b": {"c": 1}}}, {"a": {"b": {"c": M}}}),
    "a path to a dict": ({"a.b": {"c": M}}, {"a": {"b": {"c": 1}}}, {"a": {"b": {"c": M}}}),
    "a flat key of that name": ({"a.b": M}, {"a.b": 1}, {"a.b": M}),
    "a dict that is a flat key": ({"a": {"b": M}}, {"a.b": 1}, {"a.b": M}),
    "a flat key in a dict": ({"a.b.c": M}, {"a": {"b.c": 1}}, {"a": {"b.c": M}}),
    "a new key in a dict": ({"a.new": M}, {"a": {"b": 1}}, {"a": {"new": M}}),
    "new keys in a dict": ({"a": {"new": {"x": M}}}, {"a": {"b": 1}}, {"a": {"new": {"x": M}}}),
    "a new flat key": ({"x.y": M}, {"a": 1}, {"x.y": M}),
    "a new dict": ({"x": {"y": M}}, {"a": 1}, {"x": {"y": M}}),
    "an empty space": ({"a.b": M, "c": {"d": M}}, {}, {"a.b": M, "c": {"d": M}}),
    "both ways into one dict": ({"a.b": M, "a": {"c": M}}, {"a": {"b": 1}}, {"a": {"b": M, "c": M}}),
    "a dict as a choice": ({"a.b": M}, {"a": tune.choice([{"b": 1}, "none"])}, {"a": {"b": M}}),
    "a dict of a grid": ({"a.b": M}, {"a": tune.grid_search([{"b": 1}])}, {"a": {"b": M}}),
    "a key that is no dict": ({"a.b": M}, {"a": "sgd"}, {"a.b": M}),
    "an empty dict": ({"a": {}}, {"a": {"b": 1}}, {"a": {}}),
}


@pytest.mark.parametrize("case", PLACES)
def test_a_mutation_goes_where_its_hyperparameter_is(case: str) -> None:
    mutations, space, expected = PLACES[case]
    assert placed(mutations, space) == expected
    assert placed(expected, space) == expected


KEY = st.text("abcdefg", min_size=1, max_size=2)
SPACES = st.recursive(
    st.dictionaries(KEY, st.just(0), max_size=3), lambda inner: st.dictionaries(KEY, inner, max_size=3)
)


@given(SPACES)
def test_every_path_of_a_space_names_its_entry(space: dict[str, Any]) -> None:
    paths = {keys: ".".join(keys) for keys, value in leaves(space) if value == 0}
    found = placed(dict.fromkeys(paths.values(), M), space)
    assert dict(leaves(found)) == dict.fromkeys(paths, M)


@pytest.mark.parametrize(
    "mutations",
    [{"a.b": M, "a": {"b": M}}, {"a": {"b": M}, "a.b": M}, {"a.b": M, "a": M}, {"a": M, "a.b": M}],
)
def test_two_mutations_of_one_hyperparameter_are_an_error(mutations: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="must have one mutation, got more than one of 'a"):
        placed(mutations, {"a": {"b": 1}})


def test_what_a_function_makes_must_be_nested_in_the_mutation_too() -> None:
    space = {"a": tune.sample_from(lambda: {"b": 1})}
    with pytest.raises(ConfigurationError, match=r"'a.b' .* nest the mutation, \{'a': \{'b': ...\}\}"):
        placed({"a.b": M}, space)
    assert placed({"a": {"b": M}}, space) == {"a": {"b": M}}


@pytest.mark.parametrize(
    ("mutations", "space", "wrong", "right"),
    [
        ({"lrr": M}, {"lr": 1}, "lrr", "lr"),
        ({"momentun": M}, {"momentum": 1, "lr": 1}, "momentun", "momentum"),
        ({"LR": M}, {"lr": 1}, "LR", "lr"),
        ({"batchSize": M}, {"batch_size": 1}, "batchSize", "batch_size"),
        ({"optimizer": {"lrr": M}}, {"optimizer": {"lr": 1}}, "optimizer.lrr", "optimizer.lr"),
        ({"optimizer.lrr": M}, {"optimizer": {"lr": 1}}, "optimizer.lrr", "optimizer.lr"),
        ({"optimzer.lr": M}, {"optimizer": {"lr": 1}}, "optimzer.lr", "optimizer.lr"),
        ({"optimzer": {"lr": M}}, {"optimizer": {"lr": 1}}, "optimzer", "optimizer"),
        ({"lr": M}, {"optimizer": {"lr": 1}}, "lr", "optimizer.lr"),
    ],
)
def test_a_slip_of_the_pen_is_told(mutations, space, wrong: str, right: str) -> None:
    with pytest.raises(ConfigurationError, match=f"has no '{wrong}'; did you mean '{right}'"):
        placed(mutations, space)


@pytest.mark.parametrize(
    ("mutations", "space"),
    [
        ({"lrr": M, "lr": M}, {"lr": 1}),
        ({"beta1": M}, {"beta2": 1}),
        ({"netG_lr": M}, {"netD_lr": 1}),
        ({"encoder_lr": M}, {"decoder_lr": 1}),
        ({"weight_decay": M}, {"lr_decay": 1}),
        ({"lr": M}, {"wd": 1}),
        ({"beta": M}, {"eta": 1}),
        ({"optimizer": {"lr": M}, "lr": M}, {"optimizer": {"lr": 1}}),
    ],
)
def test_other_names_are_hyperparameters_of_their_own(mutations, space) -> None:
    assert placed(mutations, space) == mutations


@pytest.mark.parametrize("key", [1, "", None, ("a", "b")])
def test_a_key_that_is_no_name_is_an_error(key: object) -> None:
    with pytest.raises(ConfigurationError, match="Keys of hyperparam_mutations must be names"):
        PopulationBasedTraining(hyperparam_mutations={"a": {key: M}})


def test_a_scheduler_and_its_explorer_are_both_brought_into_place() -> None:
    space = {"a": {"b": 1}}
    scheduler = PopulationBasedTraining(
        hyperparam_mutations={"a.b": M}, explorer=Perturb(mutations={"a.b": M})
    ).for_space(space)
    assert scheduler.hyperparam_mutations == {"a": {"b": M}}
    assert scheduler.explorer == Perturb(mutations={"a": {"b": M}})


def test_a_subclass_with_an_init_of_its_own_is_brought_into_place_too() -> None:
    class Mine(PopulationBasedTraining):
        def __init__(self, interval: float) -> None:
            super().__init__(perturbation_interval=interval, hyperparam_mutations={"a.b": M})

    mine = Mine(3).for_space({"a": {"b": 1}}).for_metric("loss", "min")
    assert (mine.perturbation_interval, mine.metric) == (3, "loss")
    assert mine._explorer.mutations == {"a": {"b": M}}


def test_who_changes_the_options_later_changes_no_scheduler() -> None:
    options = [{"width": 1}, {"width": 2}]
    scheduler = PopulationBasedTraining(hyperparam_mutations={"net": options, "deep": {"net": options}})
    options[0]["width"] = 5
    options.append({"width": 3})
    mine = [{"width": 1}, {"width": 2}]
    assert scheduler.hyperparam_mutations == {"net": mine, "deep": {"net": mine}}


def test_a_method_that_draws_stays_that_of_its_object() -> None:
    class Counting:
        drawn = 0

        def draw(self) -> int:
            self.drawn += 1
            return self.drawn

    mine = Counting()
    scheduler = PopulationBasedTraining(hyperparam_mutations={"x": mine.draw})
    assert scheduler.hyperparam_mutations["x"]() == 1
    assert mine.drawn == 1
