from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from poptune import plots

DRAW: list[Callable[..., Any]] = [plots.curves, plots.schedule, plots.lineage]


@pytest.mark.slow
@pytest.mark.parametrize("draw", DRAW)
@pytest.mark.parametrize("trials", [1, 6, 12])
def test_every_figure_can_be_saved_and_shown_in_a_notebook(toy, draw, trials: int, tmp_path: Path) -> None:
    figure = draw(toy(trials=trials, iterations=12))
    figure.savefig(tmp_path / "figure.png")
    png = (tmp_path / "figure.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert figure.dpi == 150


@pytest.mark.slow
def test_drawing_opens_no_window_and_changes_no_setting() -> None:
    script = (
        "import sys, matplotlib; before = dict(matplotlib.rcParams);"
        "from poptune.plots.figure import new_figure; new_figure(height=2)[0]._repr_png_();"
        "from matplotlib._pylab_helpers import Gcf;"
        "print(Gcf.get_all_fig_managers(), dict(matplotlib.rcParams) == before)"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["[]", "True"]


@pytest.mark.parametrize("draw", DRAW)
def test_without_matplotlib_the_message_says_what_to_install(toy, draw, monkeypatch) -> None:
    monkeypatch.delitem(sys.modules, "poptune.plots.figure", raising=False)
    monkeypatch.delattr(plots, "figure", raising=False)
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install "poptune\[plot\]"'):
        draw(toy(trials=2, iterations=6))


def test_without_a_metric_curves_ask_for_one_and_the_others_do_without(toy) -> None:
    results = toy(metric=None, iterations=12)
    with pytest.raises(ValueError, match=r"curves\(\) needs a metric"):
        plots.curves(results)
    assert len(plots.curves(results, "mean_accuracy").axes[0].lines) == len(results)
    assert len(plots.lineage(results).axes) == 1
    plots.schedule(results)


def test_before_any_result_curves_say_so_and_the_others_are_empty(toy) -> None:
    results = toy(iterations=0)
    with pytest.raises(Exception, match="no trial has reported a result yet"):
        plots.curves(results)
    plots.lineage(results).canvas.draw()
    plots.schedule(results).canvas.draw()
