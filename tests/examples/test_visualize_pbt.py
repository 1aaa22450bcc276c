"""The toy problems of docs/understanding_pbt.md, shorter than there."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PICTURES = {f"understanding_{name}.png" for name in ("score", "lr", "lineage", "ablations", "figure_2")}


@pytest.fixture(scope="module")
def visualize_pbt():
    spec = importlib.util.spec_from_file_location("visualize_pbt", ROOT / "examples" / "visualize_pbt.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_pbt_beats_each_of_its_halves_and_the_pictures_show_it(visualize_pbt, tmp_path, capsys):
    for scores in visualize_pbt.main(["--pictures", str(tmp_path), "--steps", "100"]):
        pbt, *others = scores.values()
        assert len(others) == 3
        assert pbt > max(others) + 0.1
    assert "random search" in capsys.readouterr().out
    assert {picture.name for picture in tmp_path.iterdir()} == PICTURES
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in tmp_path.iterdir())


def test_the_best_schedule_is_the_one_that_its_formulas_say(visualize_pbt):
    loss = visualize_pbt.START**2
    for step in range(1, 50):
        lr = visualize_pbt.best_lr(step)
        expected = {factor: after(loss, factor * lr) for factor in (0.9, 1.0, 1.1)}
        assert min(expected, key=expected.get) == 1.0
        loss = expected[1.0]
        assert -visualize_pbt.np.log10(loss) == pytest.approx(visualize_pbt.best_score(step))


def after(loss, lr):
    """Return the expected loss after a step whose noise has variance 1."""
    return (1 - lr) ** 2 * loss + lr**2


def test_the_page_shows_every_picture():
    page = (ROOT / "docs" / "understanding_pbt.md").read_text()
    for picture in PICTURES:
        assert f"images/{picture}" in page
        assert (ROOT / "docs" / "images" / picture).stat().st_size < 150_000
