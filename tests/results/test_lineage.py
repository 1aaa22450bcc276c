from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from poptune._core.population import Population
from poptune.results.history import History

A, B, C = 0, 1, 2


def markers(frame: Any) -> list[int]:
    return list(frame["marker"])


def iterations(frame: Any) -> list[int]:
    return list(frame["training_iteration"])


def test_a_trial_that_copied_nobody_is_its_own_lineage(tell) -> None:
    story = tell()
    mine = [story.report(A), story.report(A, save=True), story.report(A)]
    (segment,) = story.results[A].lineage.segments
    assert (segment.trial, segment.after, segment.until, segment.donor) == ("abc_00000", 0, 3, None)
    assert markers(story.results[A].lineage.metrics_dataframe) == mine


def test_the_stitched_curve_follows_a_chain_of_exploits(tell) -> None:
    story = tell(trials=3)
    c = [story.report(C), story.report(C, save=True), story.report(C)]
    story.report(B)
    story.exploit(B, C, {"lr": 7})
    b = [story.report(B, save=True), story.report(B)]
    for _ in range(5):
        story.report(A)
    story.exploit(A, B, {"lr": 8})
    a = [story.report(A)]
    lineage = story.results[A].lineage
    assert markers(lineage.metrics_dataframe) == [c[0], c[1], b[0], *a]
    assert iterations(lineage.metrics_dataframe) == [1, 2, 3, 4]
    assert [(one.trial[-1], one.after, one.until) for one in lineage.segments] == [
        ("2", 0, 2),
        ("1", 2, 3),
        ("0", 3, 4),
    ]
    assert [one.donor for one in lineage.segments] == [None, "abc_00002", "abc_00001"]
    assert lineage.schedule.changes == ((0, {"lr": 0.1 * 3}), (2, {"lr": 7}), (3, {"lr": 8}))


def test_a_copied_checkpoint_keeps_its_history_when_its_trial_copies_another_later(tell) -> None:
    story = tell(trials=3)
    b = [story.report(B, save=True)]
    story.exploit(A, B)
    a = [story.report(A)]
    story.report(C, save=True)
    story.exploit(B, C)
    story.report(B, save=True)
    assert markers(story.results[A].lineage.metrics_dataframe) == b + a


def test_a_donor_without_an_own_checkpoint_hands_on_the_one_it_has_copied(tell) -> None:
    story = tell(trials=3)
    first = story.report(A, save=True)
    story.exploit(B, A)
    story.report(B)
    story.report(A)
    story.exploit(A, B)
    last = story.report(A)
    lineage = story.results[A].lineage
    assert markers(lineage.metrics_dataframe) == [first, last]
    assert lineage.segments[1].donor == "abc_00001"
    assert lineage.segments[1].checkpoint == "abc_00000/checkpoint_000001"


def test_what_a_restart_made_void_is_in_no_lineage(tell) -> None:
    story = tell()
    kept = story.report(A, save=True)
    story.report(A)
    story.crash(A)
    again = [story.report(A), story.report(A)]
    (segment,) = story.results[A].lineage.segments
    assert (segment.after, segment.until) == (0, 3)
    assert markers(story.results[A].lineage.metrics_dataframe) == [kept, *again]


def test_a_restart_without_a_checkpoint_begins_anew(tell) -> None:
    story = tell()
    story.report(A)
    story.crash(A)
    again = story.report(A)
    assert markers(story.results[A].lineage.metrics_dataframe) == [again]


def test_a_restart_to_a_donors_checkpoint_is_still_that_exploit(tell) -> None:
    story = tell()
    donated = story.report(B, save=True)
    story.report(A)
    story.exploit(A, B)
    story.report(A)
    story.crash(A)
    again = story.report(A)
    lineage = story.results[A].lineage
    assert [segment.donor for segment in lineage.segments] == [None, "abc_00001"]
    assert markers(lineage.metrics_dataframe) == [donated, again]
    assert len(story.results.lineage.exploits) == 1


def test_a_second_restart_to_the_same_checkpoint_is_like_the_first(tell) -> None:
    story = tell()
    kept = story.report(A, save=True)
    for _ in range(2):
        story.report(A)
        story.crash(A)
    again = story.report(A)
    assert markers(story.results[A].lineage.metrics_dataframe) == [kept, again]


def test_a_restart_to_an_own_checkpoint_after_a_copy_is_no_second_copy(tell) -> None:
    story = tell()
    donated = story.report(B, save=True)
    story.exploit(A, B)
    own = story.report(A, save=True)
    for _ in range(2):
        story.report(A)
        story.crash(A)
    lineage = story.results[A].lineage
    assert markers(lineage.metrics_dataframe) == [donated, own]
    assert [segment.donor for segment in lineage.segments if segment.until > segment.after] == [
        None,
        "abc_00001",
    ]


def test_a_change_of_config_survives_a_restart_to_before_it(tell) -> None:
    story = tell([{"lr": 1}])
    story.report(A, save=True)
    story.report(A)
    story.change(A, {"lr": 2})
    story.report(A)
    story.crash(A)
    story.report(A)
    assert story.results[A].schedule.changes == ((0, {"lr": 1}), (1, {"lr": 2}))


def test_a_config_set_before_the_first_iteration_is_the_first(tell) -> None:
    story = tell([{"lr": 1}])
    story.change(A, {"lr": 1, "momentum": 0.9})
    story.report(A)
    assert story.results[A].schedule.changes == ((0, {"lr": 1, "momentum": 0.9}),)


def test_an_exploit_without_a_report_since_is_an_empty_last_segment(tell) -> None:
    story = tell()
    donated = story.report(B, save=True)
    story.exploit(A, B, {"lr": 9})
    lineage = story.results[A].lineage
    assert (lineage.segments[-1].after, lineage.segments[-1].until) == (1, 1)
    assert lineage.schedule(2) == {"lr": 9}
    assert markers(lineage.metrics_dataframe) == [donated]


def test_a_trial_without_results_has_an_empty_lineage(tell) -> None:
    story = tell([{"lr": 1}])
    lineage = story.results[A].lineage
    assert len(lineage.metrics_dataframe) == 0
    assert lineage.schedule.changes == ((0, {"lr": 1}),)


def test_the_population_has_all_segments_and_exploits_in_order(tell) -> None:
    story = tell(trials=3)
    for index in (A, B, C):
        story.report(index, save=True)
    for _ in range(3):
        story.report(A)
    story.exploit(A, B)
    a = story.report(A)
    story.exploit(C, A)
    population = story.results.lineage
    assert [(one.recipient[-1], one.donor[-1]) for one in population.exploits] == [("0", "1"), ("2", "0")]
    assert [(one.recipient_iteration, one.donor_iteration) for one in population.exploits] == [
        (4, 1),
        (1, 1),
    ]
    ((_, until), (after, _)) = [(one.after, one.until) for one in population.segments[story.trial(A).id]]
    assert (until, after) == (4, 1)
    assert [one.metrics["marker"] for one in population.results(story.trial(A).id)[1]] == [a]


def test_void_results_are_cut_from_the_segments_of_the_population(tell) -> None:
    story = tell()
    kept = story.report(A, save=True)
    story.report(A)
    story.change(A, {"lr": 5})
    story.report(A)
    story.crash(A)
    again = story.report(A)
    population = story.results.lineage
    parts = population.results(story.trial(A).id)
    assert [[one.metrics["marker"] for one in part] for part in parts] == [[kept], [again]]
    assert [(one.after, one.until) for one in population.segments[story.trial(A).id]] == [(0, 1), (1, 2)]


def test_a_lineage_prints_one_line_a_segment(tell) -> None:
    story = tell()
    story.report(B, save=True)
    story.exploit(A, B, {"lr": 0.25, "model": dict})
    lineage = story.results[A].lineage
    first, second = str(lineage).splitlines()
    assert first.split() == ["0", "to", "1", "1", "lr=0.2"]
    assert "lr=0.25, model=<class 'dict'>  copied trial 1" in second
    assert repr(lineage) == "<Lineage of trial 0: 1 iterations, 1 exploits>"
    assert repr(story.results.lineage) == "<PopulationLineage: 2 trials, 1 exploits>"


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["report", "report", "report", "save", "exploit", "perturb", "change", "crash"]),
        st.integers(0, 2),
        st.integers(0, 2),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=80)
@given(steps=STEPS)
def test_a_stitched_curve_has_each_iteration_once_from_the_trial_that_trained_it(story_type, steps) -> None:
    with tempfile.TemporaryDirectory() as root:
        story = story_type(Path(root), [{"lr": index} for index in range(3)])
        state: list[list[tuple[int, Any]]] = [[], [], []]
        """Of each trial: marker and config of each iteration of its present state."""
        valid: list[list[tuple[int, int]]] = [[], [], []]
        """Of each trial: number and marker of each report that no restart made void."""
        saved: dict[str, list[tuple[int, Any]]] = {}
        next_lr = 10
        for step, index, other in steps:
            trial, donor = story.trial(index), story.trial(index if step == "perturb" else other)
            next_lr += 1
            if step in {"report", "save"}:
                marker = story.report(index, save=step == "save")
                state[index].append((marker, trial.config))
                valid[index].append((trial.reports, marker))
                if step == "save":
                    saved[trial.checkpoint.id] = list(state[index])
            elif step == "change":
                story.change(index, {"lr": next_lr})
            elif step == "crash":
                kept = trial.reports_kept
                valid[index] = [one for one in valid[index] if one[0] <= kept]
                story.crash(index)
                state[index] = list(saved[trial.checkpoint.id]) if trial.checkpoint else []
            elif donor.checkpoint is not None and (step == "perturb" or index != other):
                source = donor.checkpoint.id
                story.exploit(index, index if step == "perturb" else other, {"lr": next_lr})
                state[index] = list(saved[source])
        results = story.results
        for result, truth, own in zip(results, state, valid, strict=True):
            rows = result.lineage.results()
            assert [row.iteration for row in rows] == list(range(1, len(truth) + 1))
            assert [row.metrics["marker"] for row in rows] == [marker for marker, _ in truth]
            assert [result.schedule(row.iteration) for row in rows] == [config for _, config in truth]
            frame = result.metrics_dataframe
            assert list(frame.get("marker", [])) == [marker for _, marker in own]
            parts = results.lineage.results(result.trial_id)
            assert [row.metrics["marker"] for part in parts for row in part] == [marker for _, marker in own]
            segments = results.lineage.segments[result.trial_id]
            assert [one.until - one.after for one in segments] == [len(part) for part in parts]
        story.journal.close()


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.tensor([1.0, math.nan]),
        lambda: pd.DataFrame({"a": [1, 2]}),
        lambda: [np.zeros(2), np.zeros(3)],
        lambda: math.nan,
        lambda: argparse.Namespace(weights=np.ones(2)),
        lambda: cloudpickle.loads(cloudpickle.dumps(_a_function)),
    ],
)
def test_a_config_whose_values_are_only_copies_has_not_changed(tell, make) -> None:
    story = tell([{"lr": 0.1, "value": make()}])
    story.report(A, save=True)
    story.change(A, {"lr": 0.1, "value": make()})
    story.report(A, save=True)
    story.change(A, {"lr": 0.2, "value": make()})
    story.report(A)
    result = story.results[A]
    assert [(at, config["lr"]) for at, config in result.schedule.changes] == [(0, 0.1), (2, 0.2)]
    assert [segment.config["lr"] for segment in result.lineage.segments] == [0.1, 0.2]
    history, population = History(), Population()
    for event in story.told:
        history.apply(event, population)
        population.apply(event)
    assert len(history.ancestry(population.trials[0])) == 2, "also where the values themselves are at hand"


def _a_function(x):
    return x
