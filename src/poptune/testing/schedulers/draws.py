"""Chance, and the numbers that trials happen to have: what of a scheduler may depend on them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import hypothesis.strategies as st
from hypothesis import given

from poptune._base.types import TrialId
from poptune._core.random import derived_generator
from poptune._core.scheduler import Decision, Load, Plan, PopulationView
from poptune.testing.schedulers.maker import MakesSchedulers
from poptune.testing.schedulers.plans import BRIEF, SIZES
from poptune.testing.schedulers.story import Happening, Story, difference, stories, told
from poptune.testing.schedulers.watched import Question, Watched
from poptune.testing.simulation.world import created

_ROUNDS = 12


class DrawConformance(MakesSchedulers):
    """Tests on what is drawn, and on permuted trials."""

    @BRIEF
    @given(happenings=stories(), size=SIZES, seed=st.integers(0, 5))
    def test_the_same_seed_gives_the_same_plans(
        self, happenings: list[Happening], size: int, seed: int
    ) -> None:
        one, other = (Story(self.scheduler(), self.population(size), seed=seed) for _ in range(2))
        one.unfold(happenings)
        other.unfold(happenings)
        assert not difference(one.events, other.events)

    def test_if_it_draws_at_all_another_seed_gives_other_plans(self) -> None:
        drawn: list[object] = []

        def look(question: Question, plan: Plan) -> None:
            del plan
            drawn.extend(question.drawn())

        plans = {told(self._trained(Watched(self.scheduler(), look), seed=seed)) for seed in range(10)}
        assert len(plans) > 1 or not drawn, f"it draws {drawn[0]}, and nothing comes of it"

    def _trained(self, scheduler: Watched, *, seed: int) -> list[Plan]:
        story = Story(scheduler, self.population(6), seed=seed)
        for number in range(6 * _ROUNDS):
            story.unfold([Happening(who=number, score=float((number * 7) % 11))])
        return story.plans

    @BRIEF
    @given(happenings=stories(), size=SIZES)
    def test_each_draw_has_a_name_of_its_own_in_each_plan(
        self, happenings: list[Happening], size: int
    ) -> None:
        def look(question: Question, plan: Plan) -> None:
            del plan
            twice = [name for name, count in Counter(question.drawn()).items() if count > 1]
            assert not twice, f"these would be the same numbers: {twice}"

        Story(Watched(self.scheduler(), look), self.population(size)).unfold(happenings)

    @BRIEF
    @given(happenings=stories(), size=SIZES)
    def test_each_draw_is_about_a_trial_that_is_decided(self, happenings: list[Happening], size: int) -> None:
        """For another one the same numbers would be drawn again, until something is decided of it."""

        def look(question: Question, plan: Plan) -> None:
            del plan
            others = [name for name in question.drawn() if name[1] not in question.ready.trials]
            assert not others

        Story(Watched(self.scheduler(), look), self.population(size)).unfold(happenings)

    @BRIEF
    @given(happenings=stories(), size=SIZES)
    def test_what_is_drawn_for_a_trial_does_not_depend_on_what_others_draw(
        self, happenings: list[Happening], size: int
    ) -> None:
        def look(question: Question, plan: Plan) -> None:
            del plan
            for trial in question.ready.trials if len(question.ready.trials) > 1 else ():
                before, after = question.drawn(), question.drawn(_otherwise(question, trial))
                assert [name for name in before if name[1] == trial] == [
                    name for name in after if name[1] == trial
                ]

        Story(Watched(self.scheduler(), look), self.population(size)).unfold(happenings)

    @BRIEF
    @given(seed=st.integers(0, 2**32))
    def test_permuting_the_trials_permutes_the_plans(self, seed: int) -> None:
        """Where no two scores are equal, the numbers of trials decide nothing: draw by rank, not by index."""
        chance = random.Random(seed)
        labels = range(len(self.population(4)))
        turns = [label for _ in range(6) for label in chance.sample(labels, len(labels))]
        scores = [chance.uniform(-10, 10) for _ in turns]
        places = chance.sample(labels, len(labels))
        as_they_are = self._told_by_label(labels, turns, scores)
        assert self._told_by_label(places, turns, scores) == as_they_are

    def _told_by_label(
        self, places: Sequence[int], turns: Sequence[int], scores: Sequence[float]
    ) -> list[dict[int, str]]:
        """Let trials report in turn; return the plans, in which trials have labels in the place of names."""
        ids = [spec.id for spec in created([{} for _ in places]).trials]
        label_of = {ids[place]: label for label, place in enumerate(places)}

        def drawing(population: PopulationView, purpose: str, trial: TrialId | None) -> Any:
            if trial is None:
                return derived_generator(0, purpose)
            member: Any = population[trial]
            return derived_generator(0, purpose, label_of[trial], member.decisions)

        configs = [self.make_config(label_of[trial]) for trial in ids]
        story = Story(Watched(self.scheduler(), random=drawing), configs, keep=None)
        for label, score in zip(turns, scores, strict=True):
            trial = ids[places[label]]
            if trial in story.workers.training:
                story.handle(story.report(trial, Happening(score=score)))
        return [
            {label_of[one.trial]: _with_labels(one, label_of) for one in plan.decisions}
            for plan in story.plans
        ]


def _otherwise(question: Question, trial: TrialId | None) -> Any:
    """Return other chances for all trials but this one."""
    return lambda purpose, other: (
        question.random(purpose, other) if other == trial else derived_generator(99, purpose, len(other), 1)
    )


def _with_labels(decision: Decision, label_of: dict[TrialId, int]) -> str:
    """Return what a decision comes to, without the names that its reason may hold."""
    source: object = decision.source
    if isinstance(source, Load):
        source = (label_of[source.checkpoint.trial], source.checkpoint.number)
    donor = None if decision.donor is None else label_of[decision.donor]
    return told([decision.next, source, donor, decision.config, decision.seen])
