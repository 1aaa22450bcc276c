from __future__ import annotations

from poptune import plots


def test_a_lineage_has_a_lane_a_trial_and_an_arrow_an_exploit(toy) -> None:
    results = toy()
    panel, bar = plots.lineage(results).axes
    distinct = {(one.donor, one.recipient, one.donor_iteration) for one in results.lineage.exploits}
    assert distinct
    assert len(panel.texts) >= len(distinct)
    assert list(panel.get_yticks()) == list(range(6))
    assert bar.get_ylabel() == "mean_accuracy"


def test_the_lanes_of_a_large_population_do_not_overlap(toy) -> None:
    figure = plots.lineage(toy(trials=120, iterations=3))
    figure.canvas.draw()
    panel = figure.axes[0]
    height_pt = panel.get_window_extent().height / figure.dpi * 72
    assert max(line.get_linewidth()[0] for line in panel.collections[:2]) < height_pt / 120
