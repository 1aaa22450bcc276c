import enum
import math

import numpy as np
import pytest

from poptune._training.metrics import is_at_least, plain_metrics
from poptune.errors import TrainableError


class Level(enum.IntEnum):
    HIGH = 3


class Half(float):
    pass


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.float64(0.25), 0.25),
        (np.arange(3), [0, 1, 2]),
        (np.array(7.0), 7.0),
        (Level.HIGH, 3),
        (Half(0.5), 0.5),
        (None, None),
        ("text", "text"),
        (np.str_("text"), "text"),
        ({"inner": {"deep": np.float32(2)}}, {"inner": {"deep": 2.0}}),
        ((1, [np.int8(2)]), [1, [2]]),
        (2**63 - 1, 2**63 - 1),
        (2**63, float(2**63)),
        (-(2**63), -(2**63)),
    ],
)
def test_values_become_plain(value, plain):
    got = plain_metrics({"x": value})["x"]
    assert got == plain
    assert type(got) is type(plain)


def test_tensors_become_plain():
    torch = pytest.importorskip("torch")
    got = plain_metrics({"a": torch.tensor(1.5, requires_grad=True), "b": torch.arange(2)})
    assert got == {"a": 1.5, "b": [0, 1]}
    assert type(got["a"]) is float


def test_what_is_not_finite_is_kept():
    got = plain_metrics({"a": float("nan"), "b": np.float32("-inf")})
    assert math.isnan(got["a"])
    assert got["b"] == -math.inf


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ({"deep": {"inner": object()}}, "'deep.inner' must be a number.*got object"),
        ({"curve": [1.0, {1}]}, r"'curve\[1\]' must be .*got set"),
        ({"z": 1j}, "'z' must be .*got complex"),
        ({"n": {"big": 10**400}}, "'n.big' must be a number that a float can hold, got .* of 1329 bits"),
        ({3: 1.0}, "must be strings, got 3: write '3'"),
        ({"a": {3: 1.0}}, "must be strings, got 3"),
        ([("loss", 1.0)], "takes a dict of metrics, got .*report"),
        (None, "takes a dict of metrics, got None"),
        (0.5, "takes a dict of metrics, got 0.5"),
    ],
)
def test_what_cannot_be_kept_is_an_error_that_names_it(metrics, words):
    with pytest.raises(TrainableError, match=words):
        plain_metrics(metrics)


def test_reaching_a_threshold():
    assert is_at_least(3, 3)
    assert not is_at_least(2.9, 3)
    assert not is_at_least(math.nan, -math.inf)
    assert not is_at_least("3", 3)
    assert not is_at_least(None, 0)
