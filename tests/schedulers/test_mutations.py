from __future__ import annotations

import functools
import random
from typing import Any

import pytest

import poptune as tune
from poptune.errors import ConfigurationError
from poptune.schedulers import Perturb, PopulationBasedTraining
from poptune.schedulers.mutations import check_mutations, doubtful_pairs

BAD = [
    (tune.sample_from(lambda spec: 1), "belongs into the param_space"),
    (tune.grid_search([1, 2]), "belongs into the param_space"),
    (0.5, "must be a list of ordered values, a domain"),
    ("sgd", "must be a list of ordered values, a domain"),
    (None, "must be a list of ordered values, a domain"),
    ({1, 2}, "must be a list of ordered values, a domain"),
    ([], "must hold at least one value"),
    ((), "must hold at least one value"),
    (float, "must be a list of ordered values, a domain"),
    (lambda config: 1, "must be a list of ordered values, a domain"),
]
GOOD = [
    [1],
    (1, 2),
    tune.uniform(0, 1),
    tune.choice(["a", "b"]),
    tune.ordinal([1, 2]),
    tune.randn(),
    lambda: 1,
    lambda scale=1: scale,
    functools.partial(random.uniform, 0, 1),
    random.random,
    {"nested": {"deeper": [1, 2]}},
    {},
]


@pytest.mark.parametrize("mutation", GOOD)
def test_what_can_be_explored_is_accepted(mutation) -> None:
    check_mutations({"key": mutation})
    check_mutations({"outer": {"key": mutation}})


@pytest.mark.parametrize(("mutation", "message"), BAD)
@pytest.mark.parametrize("path", [("lr",), ("optimizer", "lr"), ("model", "optimizer", "lr")])
def test_what_cannot_is_an_error_that_names_the_path(mutation, message: str, path) -> None:
    nested = mutation
    for key in reversed(path):
        nested = {"fine": [1, 2], key: nested}
    with pytest.raises(ConfigurationError, match=message) as caught:
        check_mutations(nested)
    assert f"The mutation of '{'.'.join(path)}' " in str(caught.value)


@pytest.mark.parametrize("mutations", [[("lr", [1, 2])], "lr", 5])
def test_mutations_that_are_no_dict_are_an_error(mutations) -> None:
    with pytest.raises(ConfigurationError, match="hyperparam_mutations must be a dict"):
        check_mutations(mutations)


def mutated(**mutations: Any) -> list[str]:
    return list(doubtful_pairs(mutations))


@pytest.mark.parametrize(
    ("pair", "instead"),
    [
        ((1e-4, 1e-1), "tune.uniform(0.0001, 0.1) or tune.loguniform(0.0001, 0.1) for what is between"),
        ((0.0, 1.0), "write tune.uniform(0.0, 1.0) for what is between"),
        ((16, 64), "write tune.randint(16, 65) for what is between"),
    ],
)
def test_a_tuple_of_two_numbers_is_doubtful(pair, instead: str) -> None:
    (told,) = mutated(lr=pair)
    assert told.startswith(f"The mutation of 'lr' is the tuple {pair!r}, which means these two values")
    assert instead in told
    assert f"the list {list(pair)!r} for the two values" in told
    (nested,) = mutated(optimizer={"lr": pair})
    assert "'optimizer.lr'" in nested
    parts = {"hyperparam_mutations": {"lr": pair}}, {"explorer": Perturb(mutations={"lr": pair})}
    assert [PopulationBasedTraining(**part).doubts({}) for part in parts] == [[told], [told]]


@pytest.mark.parametrize(
    "mutation", [[1e-4, 1e-1], (1, 2, 3), ("a", "b"), (True, False), (1,), tune.uniform(0, 1), lambda: 1]
)
def test_other_mutations_are_not(mutation) -> None:
    assert mutated(lr=mutation) == []
