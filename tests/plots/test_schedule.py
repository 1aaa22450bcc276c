from __future__ import annotations

import math
from typing import Any

import cloudpickle
import numpy as np
import pytest

from poptune import plots
from poptune._core.schedule import Schedule
from poptune.plots.schedule import _levels, _steps
from poptune.results import Segment


def test_a_schedule_has_a_panel_for_each_hyperparameter_that_varies(toy) -> None:
    figure = plots.schedule(toy())
    assert [panel.get_ylabel() for panel in figure.axes] == ["lr", "momentum", "optimizer/name"]
    assert [panel.get_yscale() for panel in figure.axes] == ["log", "linear", "linear"]
    assert [text.get_text() for text in figure.axes[2].get_yticklabels()] == ["adam", "sgd"]


def test_the_keys_of_a_schedule_can_be_chosen(toy) -> None:
    results = toy(iterations=6)
    assert [panel.get_ylabel() for panel in plots.schedule(results, ["batch_size"]).axes] == ["batch_size"]
    with pytest.raises(ValueError, match="got 'optimiser/name'; did you mean 'optimizer/name'"):
        plots.schedule(results, ["optimiser/name"])


def test_a_schedule_in_which_nothing_varies_shows_all_that_is(toy) -> None:
    figure = plots.schedule(toy(trials=1, iterations=6))
    assert len(figure.axes) == 4


def test_the_steps_of_a_schedule_have_a_gap_where_the_iterations_jump() -> None:
    def segment(after: int, until: int, config: dict[str, Any]) -> Segment:
        return Segment(trial="a", tag="0", after=after, until=until, config=config)

    way = [segment(0, 5, {"lr": 1}), segment(5, 9, {"lr": 2}), segment(4, 6, {"lr": 3})]
    xs, ys = _steps(way, "lr", None)
    assert xs == [0, 5, 5, 9, 4, 4, 6]
    assert ys[:4] == [1, 1, 2, 2]
    assert math.isnan(ys[4])
    assert ys[5:] == [3, 3]


def test_values_that_are_not_all_numbers_are_levels() -> None:
    assert _levels([1, 0.5]) is None
    assert _levels([True, False]) == [False, True]
    assert _levels(["b", 1, None]) == [1, None, "b"]


def test_a_schedule_is_drawn_by_itself() -> None:
    changes = [
        (0, {"lr": 0.1, "act": "relu"}),
        (5, {"lr": 0.4, "act": "tanh"}),
        (10, {"lr": 0.2, "act": "tanh"}),
    ]
    figure = plots.schedule(Schedule(changes))
    lr, act = figure.axes
    [line] = lr.lines
    assert list(line.get_xdata()) == [0, 5, 5, 10, 10, 12]
    assert list(line.get_ydata()) == [0.1, 0.1, 0.4, 0.4, 0.2, 0.2]
    assert lr.get_ylabel() == "lr"
    assert [label.get_text() for label in act.get_yticklabels()] == ["relu", "tanh"]


def _relu(x):
    return x


def test_values_that_do_not_compare_as_one_truth_have_a_level_each() -> None:
    configs = [
        {"lr": 0.1, "f": _relu, "w": np.zeros(2)},
        {"lr": 0.2, "f": cloudpickle.loads(cloudpickle.dumps(_relu)), "w": np.zeros(2)},
        {"lr": 0.3, "f": len, "w": np.ones(3)},
    ]
    figure = plots.schedule(Schedule(list(zip((0, 5, 9), configs, strict=True))), ["lr", "f", "w"])
    _, functions, arrays = figure.axes
    assert [label.get_text() for label in functions.get_yticklabels()] == ["_relu", "len"]
    assert list(functions.lines[0].get_ydata()) == [0, 0, 0, 0, 1, 1]
    assert len(arrays.get_yticklabels()) == 2
