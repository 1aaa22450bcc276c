from __future__ import annotations

import math
from typing import Any

import pytest

from poptune._base.types import TrialStatus
from poptune._core.events import PopulationStopped, Resumed
from poptune._watching.progress.estimate import remaining_s, share_done
from poptune._watching.progress.facts import RunFacts
from poptune._watching.progress.news import last_words, news_of
from poptune._watching.progress.values import duration, entry, shown
from poptune._watching.progress.view import View, view_of

HINT = (
    "Interrupted. The results so far are kept; continue with: poptune resume /results/pbt_mnist, "
    'or in Python: tune.Tuner.restore("/results/pbt_mnist").fit()'
)


def view(world: Any, *, most_rows: int = 24, **options: Any) -> View:
    return view_of(world.experiment, world.facts, elapsed_s=83, most_rows=most_rows, **options)


def test_every_trial_has_a_row_in_the_order_of_its_number(four: Any, by_index: Any) -> None:
    four.train(4, by_index)
    shown_ = view(four)
    assert [row.index for row in shown_.rows] == [0, 1, 2, 3]
    assert shown_.rows[1].metric == "0.104"
    assert shown_.rows[1].parameters == ("0.2",)
    assert shown_.rows[3].metric == ""
    assert shown_.hidden == 0
    assert shown_.metric == "score ↑"
    assert shown_.parameters == ("lr",)
    assert shown_.iterations == "iterations 0 to 4"


def test_time_slots_memory_and_statuses_are_told(four: Any, by_index: Any) -> None:
    four.train(4, by_index)
    shown_ = view(four, remaining_s=700, memory="memory 3.1/15.6 GiB")
    assert shown_.time == "1:23, about 12 min left"
    assert shown_.facts == ("2 running, 2 pending", "slots 2/2", "memory 3.1/15.6 GiB")
    assert shown_.algorithm.startswith("PBT, asynchronous")


def test_the_best_trial_is_marked_and_described(four: Any, by_index: Any) -> None:
    four.train(4, by_index)
    shown_ = view(four)
    assert [row.index for row in shown_.rows if row.is_best] == [1]
    assert shown_.best == "best: trial 1, score 0.104 at iteration 4, lr 0.2"


def test_before_the_first_result_nobody_is_best(four: Any) -> None:
    assert view(four).best == ""
    assert not any(row.is_best for row in view(four).rows)


def test_with_mode_min_the_smallest_is_best_and_metrics_keep_their_sign(world: Any) -> None:
    small = world([{"lr": 0.1}, {"lr": 0.2}], mode="min")
    small.create()
    small.report(0, 0.0)
    small.report(1, 2.5)
    shown_ = view(small)
    assert shown_.metric == "score ↓"
    assert [row.metric for row in shown_.rows] == ["0", "2.5"]
    assert shown_.best.startswith("best: trial 0, score 0 at")


def test_a_nan_score_is_shown_and_is_never_best(world: Any) -> None:
    two = world([{"lr": 0.1}, {"lr": 0.2}])
    two.create()
    two.report(0, math.nan)
    assert view(two).best == ""
    two.report(1, -1.0)
    assert [row.metric for row in view(two).rows] == ["nan", "-1"]
    assert [row.is_best for row in view(two).rows] == [False, True]


def test_one_that_copied_the_best_is_not_best_before_it_trained(world: Any) -> None:
    two = world([{"lr": 0.1}, {"lr": 0.2}])
    two.create()
    for index, score in ((1, 0.9), (0, 0.4)):
        for _ in range(5):
            two.report(index, score)
    assert two.trial(0).donor == two.trial(1).id
    assert [(row.metric, row.is_best) for row in view(two).rows] == [("0.9", False), ("0.9", True)]


def test_one_that_went_back_to_its_own_checkpoint_stays_the_best(world: Any, by_index: Any) -> None:
    two = world([{"lr": 0.1}, {"lr": 0.2}], max_failures=1)
    two.create()
    two.train(3, by_index)
    two.fail(1, "gone")
    assert [row.is_best for row in view(two).rows] == [False, True]


def test_an_exploit_shows_as_generation_and_donor(four: Any, by_index: Any) -> None:
    four.train(20, by_index)
    trial = next(trial for trial in four.population.trials if trial.exploits)
    row = view(four).rows[trial.index]
    assert row.generation == trial.generation > 0
    assert row.donor == str(four.population[trial.donor].index)


def test_of_200_trials_the_best_the_running_and_the_worst_are_shown(world: Any) -> None:
    many = world([{"lr": index / 100} for index in range(200)], slots=4, pbt=False, stop={})
    many.create()
    for index in range(4):
        many.train(1, lambda trial: -float(trial.index))
        many.fail(index, "gone")
    many.train(1, lambda trial: -float(trial.index))
    shown_ = view(many, most_rows=8)
    assert len(shown_.rows) == 8
    assert shown_.hidden == 192
    assert [row.index for row in shown_.rows][:4] == [0, 1, 2, 3]
    running = [row.index for row in shown_.rows if row.status is TrialStatus.RUNNING]
    assert running == [4, 5, 6, 7]


def test_the_worst_are_those_with_a_score_before_those_without(world: Any) -> None:
    many = world([{"lr": 0.1} for _ in range(40)], slots=20, pbt=False)
    many.create()
    many.train(1, lambda trial: float(trial.index))
    rows = view(many, most_rows=8).rows
    assert [row.index for row in rows] == [19, 18, 17, 16, 15, 14, 1, 0]


def test_a_run_without_a_metric_has_no_metric_column(world: Any) -> None:
    plain = world([{"lr": 0.1}], pbt=False)
    plain.create()
    facts = RunFacts(name="x", path="/x", metric=None, mode=None, slots=1)
    assert view_of(plain.experiment, facts, elapsed_s=0, most_rows=5).metric == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.070123456, "0.07012"),
        (1e-7, "1e-07"),
        (50_000_000, "50000000"),
        (True, "True"),
        (None, "None"),
        (dict, "dict"),
        (math.sqrt, "sqrt"),
        ("a string that is too long", "a string that i…"),
        ("two\nlines\x1b[31m", "two lines [31m"),
        ([1, 2], "[1, 2]"),
    ],
)
def test_any_value_becomes_one_short_line(value: Any, text: str) -> None:
    assert shown(value) == text


def test_config_values_are_found_by_their_dotted_path() -> None:
    config = {"optimizer": {"lr": 0.1}, "layers": [32, {"width": 64}]}
    assert entry(config, "optimizer.lr") == "0.1"
    assert entry(config, "layers.1.width") == "64"
    assert entry(config, "layers.2") == entry(config, "optimizer.lr.x") == entry(config, "no") == ""


def test_times_are_short() -> None:
    assert [duration(seconds) for seconds in (7.9, 83, 7384)] == ["0:07", "1:23", "2:03:04"]


# estimate


def test_the_remaining_time_follows_from_the_stop_and_the_speed(four: Any, by_index: Any) -> None:
    assert share_done(four.population, four.facts) == 0
    four.train(20, by_index)
    share = share_done(four.population, four.facts)
    assert share is not None
    left = remaining_s(four.facts, elapsed_s=10, share=share, share_at_start=0)
    assert left == pytest.approx(10 * (1 - share) / share)


def test_a_continued_run_counts_only_its_own_speed(four: Any) -> None:
    left = remaining_s(four.facts, elapsed_s=10, share=0.6, share_at_start=0.5)
    assert left == pytest.approx(40)


def test_without_a_stop_that_training_reaches_nothing_is_estimated(world: Any) -> None:
    two = world([{"lr": 0.1}], stop={"score": 0.9})
    two.create()
    share = share_done(two.population, two.facts)
    assert share is None
    assert remaining_s(two.facts, elapsed_s=10, share=share, share_at_start=None) is None


def test_a_time_budget_bounds_the_estimate(world: Any) -> None:
    two = world([{"lr": 0.1}], time_budget_s=60)
    assert remaining_s(two.facts, elapsed_s=10, share=0.1, share_at_start=0) == 50
    assert remaining_s(two.facts, elapsed_s=70, share=None, share_at_start=None) == 0


def test_a_trial_that_ended_is_done_wherever_it_stood(four: Any) -> None:
    four.fail(0, "gone")
    assert share_done(four.population, four.facts) == 0.25


# news


def texts(world: Any, events: Any) -> list[str]:
    return [news.text for news in news_of(events, world.population, world.facts, set())]


def test_the_beginning_names_trials_slots_and_folder(four: Any) -> None:
    assert texts(four, four.first) == ["pbt_mnist: 4 trials on 2 slots. Results: /results/pbt_mnist"]
    assert texts(four, four.handle(Resumed(time_s=0.0)))[0].startswith(
        "pbt_mnist continues: 4 of 4 trials on 2 slots"
    )


def test_an_exploit_is_one_line(world: Any) -> None:
    two = world([{"lr": 0.1}, {"lr": 0.42}])
    two.create()
    events: list[Any] = []
    for _ in range(5):
        events += two.report(1, 0.9034)
    for _ in range(5):
        events += two.report(0, 0.412)
    (line,) = texts(two, events)
    assert line.startswith("it  5  0 ← 1  0.412 → 0.9034  lr 0.42 → 0.")


def test_an_exploit_under_mode_min_shows_what_the_user_reported(world: Any) -> None:
    two = world([{"lr": 0.1}, {"lr": 0.42}], mode="min")
    two.create()
    events: list[Any] = []
    for _ in range(5):
        events += two.report(1, 0.5)
    for _ in range(5):
        events += two.report(0, 2.5)
    (line,) = texts(two, events)
    assert "0 ← 1  2.5 → 0.5" in line


def test_a_trial_that_failed_for_good_is_told_with_the_last_line_and_the_place_of_the_rest(four: Any) -> None:
    events = four.fail(0, 'Traceback:\n  File "x"\nValueError: [red]boom\n')
    assert texts(four, events) == ["trial 0 failed at iteration 0: ValueError: [red]boom"]


def test_a_trial_that_is_retried_is_told_so(world: Any, by_index: Any) -> None:
    two = world([{"lr": 0.1}, {"lr": 0.2}], max_failures=1)
    two.create()
    two.train(3, by_index)
    assert texts(two, two.fail(0, "its worker process ended")) == [
        "trial 0 failed for the 1st time and goes on from iteration 3: its worker process ended"
    ]


def test_the_reason_for_an_early_end_is_told(four: Any) -> None:
    events = four.handle(PopulationStopped(time_s=0.0, reason="the time budget of 60 s is spent"))
    assert texts(four, events) == ["pbt_mnist ends: the time budget of 60 s is spent"]


def test_the_last_words_sum_up_and_say_how_to_continue(four: Any, by_index: Any) -> None:
    four.train(4, by_index)
    four.fail(0, "gone")
    words = last_words(four.population.trials, four.facts, elapsed_s=201, completed=False)
    assert [news.text for news in words] == [
        "pbt_mnist: 4 trials, no exploits, 1 error, 3:21. Results: /results/pbt_mnist",
        "Best: trial 1, score 0.104 at iteration 4, lr 0.2",
        "Failed: trial 0: gone",
        "The whole errors are in error.txt in the trials' folders.",
        HINT,
    ]
