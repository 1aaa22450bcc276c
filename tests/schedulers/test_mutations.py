from __future__ import annotations

import functools
import random

import pytest

import poptune as tune
from poptune.errors import ConfigurationError
from poptune.schedulers.mutations import check_mutations

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
