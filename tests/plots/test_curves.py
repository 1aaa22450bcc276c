from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

from poptune import plots
from poptune.plots.curves import _lines


def labels(panel: Any) -> list[str]:
    return [line.get_label() for line in panel.lines]


def by_label(panel: Any, label: str) -> Any:
    (line,) = [line for line in panel.lines if line.get_label() == label]
    return line


def test_curves_have_a_line_a_trial_and_the_best_lineage_whole(toy) -> None:
    results = toy()
    (panel,) = plots.curves(results).axes
    assert [label for label in labels(panel) if not label.startswith("_")] == [
        *(f"trial {index}" for index in range(len(results))),
        "best lineage",
    ]
    best = results.get_best_result()
    assert list(by_label(panel, "best lineage").get_xdata()) == [
        one.iteration for one in best.lineage.results()
    ]
    assert panel.get_ylabel() == "mean_accuracy"


def test_a_trials_line_never_runs_backwards(toy) -> None:
    for line in _lines(toy(), "mean_accuracy"):
        for (x1, y1), (x2, y2) in itertools.pairwise(line):
            if not (math.isnan(y1) or math.isnan(y2)):
                assert x2 > x1


def test_curves_of_one_result_or_of_the_best_alone_are_one_line(toy) -> None:
    results = toy()
    for figure in (plots.curves(results, best_only=True), plots.curves(results[2])):
        assert [label for label in labels(figure.axes[0]) if not label.startswith("_")] == ["best lineage"]
        assert not figure.legends


def test_many_trials_are_drawn_alike_without_a_legend(toy) -> None:
    figure = plots.curves(toy(trials=11, iterations=6))
    assert not figure.legends
    assert len({line.get_color() for line in figure.axes[0].lines[:11]}) == 1


def test_curves_by_a_metric_that_nobody_has_name_the_nearest(toy) -> None:
    with pytest.raises(ValueError, match="did you mean 'mean_accuracy'"):
        plots.curves(toy(trials=2, iterations=6), "mean_acuracy")
