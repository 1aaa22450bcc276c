from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings

from poptune._base.types import TrialId, TrialStatus
from poptune.schedulers.ranking import Ranking

SCORES = st.none() | st.sampled_from([1.0, 2.0, math.nan, math.inf, -math.inf]) | st.floats(-5, 5)


@dataclass
class Member:
    index: int
    last_score: float | None
    status: TrialStatus = TrialStatus.RUNNING

    @property
    def id(self) -> TrialId:
        return TrialId(f"t{self.index}")


def ranking(*scores: float | None) -> Ranking:
    ranked = Ranking()
    for index, score in enumerate(scores):
        ranked.update(_view(Member(index, score)))
    return ranked


def _view(member: Member) -> Any:
    return member


def names(ranked: Ranking, count: int) -> list[str]:
    """The best ``count``, without any whose score is not finite."""
    lowest = max(len(ranked) - count, ranked.first_finite)
    return [ranked.at(position) for position in range(lowest, len(ranked))]


def test_higher_scores_stand_higher_and_ties_stand_by_index() -> None:
    ranked = ranking(2.0, 1.0, 2.0, 0.5)
    assert names(ranked, 4) == ["t3", "t1", "t0", "t2"]
    assert [ranked.position(TrialId(f"t{index}")) for index in range(4)] == [2, 1, 3, 0]


def test_scores_that_are_not_finite_stand_below_all_others_by_index_and_are_never_highest() -> None:
    ranked = ranking(math.inf, -1e300, math.nan, -math.inf)
    assert [ranked.position(TrialId(f"t{index}")) for index in range(4)] == [0, 3, 1, 2]
    assert names(ranked, 4) == ["t1"]
    assert [ranked.is_finite(TrialId(f"t{index}")) for index in range(4)] == [False, True, False, False]


def test_a_trial_without_a_score_is_no_candidate() -> None:
    ranked = ranking(None, 1.0)
    assert len(ranked) == 1
    assert TrialId("t0") not in ranked
    ranked.update(_view(Member(1, None)))
    assert len(ranked) == 0


def test_a_trial_that_left_is_no_candidate() -> None:
    ranked = ranking(1.0, 2.0)
    ranked.update(_view(Member(1, 2.0, TrialStatus.TERMINATED)))
    assert names(ranked, 1) == ["t0"]


def test_nobody_is_among_the_highest_none() -> None:
    assert names(ranking(1.0, 2.0), 0) == []


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), SCORES), max_size=30))
def test_whatever_the_history_the_order_is_that_of_the_last_scores(updates) -> None:
    ranked, last = Ranking(), {}
    for index, score in updates:
        ranked.update(_view(Member(index, score)))
        last[index] = score
    scored = {index: score for index, score in last.items() if score is not None}
    expected = sorted(
        scored,
        key=lambda i: (math.isfinite(scored[i]), scored[i] if math.isfinite(scored[i]) else 0.0, i),
    )
    assert sorted(scored, key=lambda i: ranked.position(TrialId(f"t{i}"))) == expected
    assert len(ranked) == len(scored)
