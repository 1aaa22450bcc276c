"""Whatever happens to an experiment: what a scheduler decides can be done, and follows from the journal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace

from poptune._base.types import TrialId
from poptune._core.events import Planned
from poptune._core.scheduler import Plan
from poptune._keeping.journal import consistent
from poptune.testing.schedulers.maker import MakesSchedulers
from poptune.testing.schedulers.story import ODD_SCORES, SHORT, Happening, Story, difference, stories, told
from poptune.testing.schedulers.watched import Question, Watched

BRIEF = settings(
    max_examples=15,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)
SIZES = st.sampled_from([1, 2, 3, 5])
SLOTS = st.none() | st.just(2)


class PlanConformance(MakesSchedulers):
    """Tests through whole experiments, to which anything happens."""

    @BRIEF
    @given(happenings=stories(), size=SIZES, slots=SLOTS)
    def test_whatever_happens_its_plans_can_be_carried_out(
        self, happenings: list[Happening], size: int, slots: int | None
    ) -> None:
        story = Story(self.scheduler(), self.population(size), slots=slots)
        story.unfold(happenings)
        assert len(list(consistent(story.events))) == len(story.events)

    @BRIEF
    @given(happenings=stories(), size=SIZES, slots=SLOTS)
    def test_a_fold_of_the_journal_stands_where_the_live_state_stands(
        self, happenings: list[Happening], size: int, slots: int | None
    ) -> None:
        story = Story(self.scheduler(), self.population(size), slots=slots)

        def look() -> None:
            assert story.folded().describe() == story.experiment.describe()

        story.unfold(happenings, look)

    @BRIEF
    @given(happenings=stories(), size=SIZES, slots=SLOTS)
    def test_a_fold_of_the_journal_decides_as_the_live_state_does(
        self, happenings: list[Happening], size: int, slots: int | None
    ) -> None:
        story = Story(self.scheduler(), self.population(size), slots=slots)
        for happening in happenings:
            before = list(story.events)
            event = story.event(happening)
            if event is None or happening.kind == "memory":  # who has folded holds nobody in memory
                continue
            first = _plans(story.handle(event))[:1]
            if first:
                again = _plans(story.kept(story.folded(before).handle(event).events))[:1]
                assert not difference(again, first)

    @BRIEF
    @given(happenings=stories(), size=SIZES)
    def test_deciding_changes_nothing(self, happenings: list[Happening], size: int) -> None:
        def look(question: Question, plan: Plan) -> None:
            before = question.scheduler.describe(question.state, question.population)
            assert told(question.answer()) == told(plan), "asked once more, it decides otherwise"
            assert question.scheduler.describe(question.state, question.population) == before

        Story(Watched(self.scheduler(), look), self.population(size)).unfold(happenings)

    @BRIEF
    @given(happenings=stories(), size=SIZES)
    def test_it_changes_nothing_of_the_population(self, happenings: list[Happening], size: int) -> None:
        shown: list[str] = []

        def show(question: Question) -> None:
            shown.append(told(list(question.population.trials)))

        def look(question: Question, plan: Plan) -> None:
            del plan
            assert told(list(question.population.trials)) == shown.pop()

        watched = Watched(self.scheduler(), look, before=show)
        Story(watched, self.population(size)).unfold(happenings)

    @BRIEF
    @given(happenings=stories(), size=SIZES, chance=st.randoms(use_true_random=False))
    def test_the_order_of_those_that_are_ready_does_not_matter(
        self, happenings: list[Happening], size: int, chance: Any
    ) -> None:
        def look(question: Question, plan: Plan) -> None:
            trials = question.ready.trials
            other = replace(question.ready, trials=tuple(chance.sample(trials, len(trials))))
            assert _by_trial(question.answer(ready=other)) == _by_trial(plan)

        Story(Watched(self.scheduler(), look), self.population(size)).unfold(happenings)

    @BRIEF
    @given(happenings=stories(ODD_SCORES), size=SIZES)
    def test_no_value_of_the_metric_breaks_it(self, happenings: list[Happening], size: int) -> None:
        Story(self.scheduler(), self.population(size)).unfold(happenings)

    @BRIEF
    @given(happenings=stories(saves=False), size=SIZES)
    def test_that_nobody_saves_breaks_nothing(self, happenings: list[Happening], size: int) -> None:
        Story(self.scheduler(), self.population(size)).unfold(happenings)

    @BRIEF
    @given(happenings=stories(lengths=SHORT), others=stories(lengths=SHORT))
    def test_one_object_decides_for_two_experiments_as_for_one(
        self, happenings: list[Happening], others: list[Happening]
    ) -> None:
        alone = Story(self.scheduler(), self.population(3))
        alone.unfold(happenings)
        shared = self.scheduler()
        Story(shared, self.population(5), seed=1).unfold(others)
        beside = Story(shared, self.population(3))
        beside.unfold(happenings)
        assert not difference(beside.plans, alone.plans)

    @BRIEF
    @given(happenings=stories(), size=SIZES)
    def test_it_says_in_one_line_where_it_stands(self, happenings: list[Happening], size: int) -> None:
        story = Story(self.scheduler(), self.population(size))

        def look() -> None:
            said = story.experiment.describe()
            assert said
            assert "\n" not in said

        story.unfold(happenings, look)


def _plans(events: list[Any]) -> list[Plan]:
    return [event.plan for event in events if isinstance(event, Planned)]


def _by_trial(plan: Plan) -> tuple[Mapping[TrialId, str], set[str], set[str], set[str]]:
    decisions = {decision.trial: told(decision) for decision in plan.decisions}
    return decisions, set(plan.warnings), set(plan.pin), set(plan.unpin)
