from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis.strategies as st
import pandas as pd
import pytest
from hypothesis import given, settings

from poptune._watching.progress.view import best_trial
from poptune.errors import ConfigurationError, ExperimentError, PoptuneError
from poptune.plots.best import best_of
from poptune.results import ResultGrid

A, B, C = 0, 1, 2


@pytest.fixture
def scored(tell):
    """A story of trials with these scores, in order."""

    def begin(*scores: list[float], **options):
        story = tell(trials=len(scores), **options)
        for index, values in enumerate(scores):
            for value in values:
                story.report(index, value)
        return story

    return begin


def test_a_grid_is_a_sequence_of_results(scored) -> None:
    results = scored([1], [2], [3]).results
    assert len(results) == 3
    assert [result.tag for result in results] == ["0_lr", "1_lr", "2_lr"]
    assert results[-1].tag == "2_lr"
    assert results.experiment_path.endswith(Path(results.experiment_path).name)
    assert (results.metric, results.mode) == ("score", "max")


@pytest.mark.parametrize(
    ("scope", "best"),
    [("last", 2), ("all", 0), ("avg", 1), ("last-5-avg", 3), ("last-10-avg", 1)],
)
def test_each_scope_ranks_by_its_own_number(scored, scope: str, best: int) -> None:
    story = scored(
        [9] + [0] * 10,
        [4] * 10 + [0.0],
        [0] * 10 + [5],
        [0] * 6 + [3.8] * 4 + [4],
    )
    assert story.results.get_best_result(scope=scope).tag == f"{best}_lr"


def test_min_looks_for_the_smallest(scored) -> None:
    story = scored([3, 1, 2], [0.5, 2.5], mode="min")
    assert story.results.get_best_result().tag == "0_lr"
    assert story.results.get_best_result(scope="all").tag == "1_lr"
    assert story.results.get_best_result(mode="max").tag == "1_lr"


def test_of_equals_the_first_is_the_best(scored) -> None:
    assert scored([1], [1]).results.get_best_result().tag == "0_lr"


def test_a_score_that_is_not_finite_is_passed_over(scored) -> None:
    results = scored([0.9, math.nan], [0.2], [math.inf]).results
    assert results.get_best_result().tag == "1_lr"
    assert results.get_best_result(scope="all").tag == "0_lr"
    assert results.get_best_result(scope="avg").tag == "1_lr"


def test_unfiltered_infinity_wins_and_nan_is_last(scored) -> None:
    results = scored([math.nan], [0.2], [math.inf]).results
    assert results.get_best_result(filter_nan_and_inf=False).tag == "2_lr"
    assert results.get_best_result(filter_nan_and_inf=False, mode="min").tag == "1_lr"
    assert results.get_best_result(filter_nan_and_inf=False, scope="all").tag == "2_lr"


def test_what_a_restart_made_void_does_not_count(tell) -> None:
    story = tell()
    story.report(A, 0.1, save=True)
    story.report(A, 0.9)
    story.crash(A)
    story.report(B, 0.5)
    assert story.results.get_best_result().tag == "1_lr"
    assert story.results.get_best_result(scope="all").tag == "1_lr"


def test_a_metric_may_be_nested_and_missing_from_the_last_result(tell) -> None:
    story = tell()
    story.report(A, eval={"acc": 0.9})
    story.report(A)
    story.report(B, eval={"acc": 0.8})
    assert story.results.get_best_result("eval/acc").tag == "0_lr"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metric": "scoer"}, r"got 'scoer'; did you mean 'score'\? Reported were: marker, score"),
        ({"mode": "maximum"}, 'mode must be "min" or "max", got \'maximum\''),
        ({"scope": "lst"}, "scope must be one of 'last', 'all', .* got 'lst'; did you mean 'last'"),
    ],
)
def test_wrong_arguments_are_named(scored, arguments: dict, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        scored([1]).results.get_best_result(**arguments)


def test_no_metric_anywhere_is_an_error_that_says_how_to_give_one(scored) -> None:
    results = scored([1], metric=None, mode=None).results
    with pytest.raises(ConfigurationError, match="metric=None and mode=None, and the experiment names none"):
        results.get_best_result()
    assert results.get_best_result("score", "max").tag == "0_lr"


def test_no_results_and_no_finite_results_are_told_apart(scored) -> None:
    with pytest.raises(ExperimentError, match="has reported a result yet"):
        scored([], []).results.get_best_result()


def test_results_of_which_none_is_finite_are_an_error_that_names_the_ways_out(scored) -> None:
    with pytest.raises(ExperimentError, match=r"A finite 'score' is needed, .* filter_nan_and_inf=False"):
        scored([1, math.nan], [math.nan]).results.get_best_result()


def test_the_data_frame_has_a_row_a_trial(tell) -> None:
    story = tell([{"lr": 0.1, "net": {"depth": 3}}, {"lr": 0.2}])
    story.report(A, 0.5)
    story.report(A, 0.4)
    frame = story.results.get_dataframe()
    assert list(frame["trial_id"]) == ["abc_00000", "abc_00001"]
    assert list(frame["config/lr"]) == [0.1, 0.2]
    assert frame["config/net/depth"][0] == 3
    assert frame["score"][0] == 0.4
    assert math.isnan(frame["score"][1])
    assert list(frame["logdir"]) == [str(story.root / "train_0"), str(story.root / "train_1")]


def test_the_data_frame_can_have_each_trials_best_result(scored) -> None:
    results = scored([1, 3, 2], [math.nan, 5, 7]).results
    assert list(results.get_dataframe("score")["score"]) == [3, 7]
    assert list(results.get_dataframe("score", "min")["training_iteration"]) == [1, 2]


def test_the_data_frame_by_a_metric_that_nobody_has_is_an_error(scored) -> None:
    results = scored([1]).results
    with pytest.raises(ConfigurationError, match="did you mean 'score'"):
        results.get_dataframe("scores")
    with pytest.raises(ConfigurationError, match="filter_mode goes with a filter_metric"):
        results.get_dataframe(filter_mode="min")


def test_errors_and_ends_are_counted(tell) -> None:
    story = tell(trials=3)
    story.end(A, error="Boom")
    story.end(B)
    results = story.results
    assert (results.num_errors, results.num_terminated) == (1, 1)
    assert [str(error) for error in results.errors] == ["Boom"]


def test_a_grid_shows_the_moment_it_was_made_while_the_run_goes_on(tell) -> None:
    story = tell()
    first = story.report(A, save=True)
    results = story.results
    story.report(A)
    story.crash(A)
    story.report(A)
    assert list(results[A].metrics_dataframe["marker"]) == [first]
    assert len(results[A].lineage.results()) == 1
    assert len(story.results[A].metrics_dataframe) == 2


def test_a_journal_that_its_writer_has_closed_can_be_read(scored) -> None:
    story = scored([1, 2])
    story.complete()
    story.journal.close()
    assert len(story.results[A].metrics_dataframe) == 2


def test_a_path_may_begin_with_the_home_folder(scored, monkeypatch) -> None:
    story = scored([1])
    monkeypatch.setenv("HOME", str(story.root.parent))
    results = ResultGrid.from_path(f"~/{story.root.name}")
    assert results.experiment_path == str(story.root)


def test_a_folder_of_no_experiment_is_an_error_that_names_those_in_it(story_type, tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="is no folder"):
        ResultGrid.from_path(tmp_path / "nowhere")
    for name in "abcdefg":
        tmp_path.joinpath(name).mkdir()
        story_type(tmp_path / name, [{}])
    with pytest.raises(ExperimentError, match="holds the experiments a, b, c, d, e and 2 more; give"):
        ResultGrid.from_path(tmp_path)


def test_a_grid_prints_as_a_table_with_the_best_first(scored) -> None:
    story = scored([0.25], [0.75, 0.5], [])
    story.end(A)
    assert repr(story.results).splitlines() == [
        "ResultGrid of 3 trials (1 terminated, 2 pending)",
        str(story.root),
        "trial  status      iteration  score   lr",
        "    1  PENDING             2    0.5  0.2",
        "    0  TERMINATED          1   0.25  0.1",
        "    2  PENDING             0         0.3",
    ]


def test_a_large_grid_prints_only_its_best(scored) -> None:
    lines = repr(scored(*([value] for value in range(20))).results).splitlines()
    assert lines[3].startswith("   19  PENDING")
    assert lines[-1] == "and 8 more"


def test_reading_imports_neither_pandas_nor_matplotlib() -> None:
    script = (
        "import sys, poptune.results, poptune.plots; "
        "print({'pandas', 'matplotlib', 'torch'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


SCORES = st.floats(-3, 3) | st.sampled_from([math.nan, math.inf, -math.inf, 1.0, 2.0])


@settings(max_examples=60, deadline=None)
@given(
    deeds=st.lists(st.tuples(st.integers(0, 2), SCORES, st.booleans(), st.integers(0, 2)), max_size=12),
    mode=st.sampled_from(["min", "max"]),
)
def test_results_display_and_figures_call_the_same_trial_the_best(story_type, deeds, mode) -> None:
    with TemporaryDirectory() as folder:
        story = story_type(Path(folder), [{"lr": 0.1}, {"lr": 0.2}, {"lr": 0.3}], mode=mode)
        for index, score, copies, donor in deeds:
            story.report(index, score, save=True)
            if copies and story.trial(donor).checkpoint is not None:
                story.exploit(index, donor)
        shown, drawn = best_trial(story.population.trials), best_of(story.results)
        if shown is None:
            assert drawn is None
            with pytest.raises(PoptuneError):
                story.results.get_best_result()
        else:
            best = story.results.get_best_result()
            assert drawn is not None
            assert shown.id == best.trial_id == drawn.trial_id
            first_row = repr(story.results).splitlines()[3]
            assert first_row.split()[0] == str(shown.index)


def test_the_history_has_a_row_a_result_with_the_config_it_was_trained_with(tell) -> None:
    story = tell([{"lr": 0.1, "net": {"width": 8}}, {"lr": 0.2, "net": {"width": 16}}])
    story.report(A, 1.0, save=True)
    story.report(B, 2.0, save=True)
    story.exploit(A, B, {"lr": 0.4, "net": {"width": 16}})
    story.report(A, 3.0, save=True, test={"loss": 0.5})
    story.report(A, 4.0)
    story.exploit(B, A, {"lr": 0.8, "net": {"width": 16}})
    story.report(B, 5.0)
    frame = story.results.history()
    assert list(frame.columns[:2]) == ["trial", "iteration"]
    columns = ["trial", "iteration", "score", "config/lr", "config/net/width", "generation"]
    assert frame[columns].to_numpy().tolist() == [
        [0, 1, 1.0, 0.1, 8, 0],
        [0, 2, 3.0, 0.4, 16, 1],
        [0, 3, 4.0, 0.4, 16, 1],
        [1, 1, 2.0, 0.2, 16, 0],
        [1, 3, 5.0, 0.8, 16, 2],
    ]
    assert [None if pd.isna(donor) else int(donor) for donor in frame["donor"]] == [None, 1, 1, None, 0]
    assert frame["test/loss"].dropna().tolist() == [0.5]


def test_what_a_restart_made_void_is_not_in_the_history(tell) -> None:
    story = tell(trials=1)
    story.report(A, 1.0, save=True)
    story.report(A, 2.0)
    story.crash(A)
    story.report(A, 3.0)
    frame = story.results.history()
    assert frame[["iteration", "score"]].to_numpy().tolist() == [[1, 1.0], [2, 3.0]]


def test_the_history_of_an_experiment_without_results_is_empty(tell) -> None:
    assert tell().results.history().empty


def test_a_metric_of_that_name_does_not_hide_which_trial_it_was(tell) -> None:
    story = tell(trials=2)
    story.report(B, 1.0, trial="mine", iteration=99, generation=99)
    (row,) = story.results.history().to_dict("records")
    assert (row["trial"], row["iteration"], row["generation"]) == (1, 1, 0)
