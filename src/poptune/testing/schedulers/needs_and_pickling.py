"""What a scheduler says of itself, and that it can be put away and taken out again."""

from __future__ import annotations

from typing import Any

import cloudpickle
import pytest
from hypothesis import given

from poptune.errors import ConfigurationError
from poptune.testing.schedulers.maker import METRIC, MakesSchedulers
from poptune.testing.schedulers.plans import BRIEF
from poptune.testing.schedulers.story import SHORT, Happening, Story, difference, stories


class NeedsAndPicklingConformance(MakesSchedulers):
    """Tests on a scheduler by itself."""

    @BRIEF
    @given(happenings=stories(lengths=SHORT))
    def test_its_needs_are_always_the_same(self, happenings: list[Happening]) -> None:
        scheduler = self.scheduler()
        needs = scheduler.needs
        assert self.scheduler().needs == needs
        Story(scheduler, self.population(3)).unfold(happenings)
        assert scheduler.needs == needs

    def test_metric_and_mode_come_from_the_tune_config(self) -> None:
        made = self.make_scheduler()
        before = made.needs
        fitted = made.for_metric("loss", "min")
        assert (fitted.needs.metric, fitted.needs.mode) == ("loss", "min")
        assert made.needs == before, "the one that its user has made is not changed"

    def test_what_it_has_itself_needs_not_be_named_again(self) -> None:
        fitted = self.scheduler()
        for again in (fitted.for_metric(None, None), fitted.for_metric(METRIC, "max")):
            assert again.needs == fitted.needs

    @pytest.mark.parametrize("other", [("loss", None), (None, "min")])
    def test_another_metric_than_its_own_is_refused(self, other: Any) -> None:
        with pytest.raises(ConfigurationError):
            self.scheduler().for_metric(*other)

    @BRIEF
    @given(happenings=stories(lengths=SHORT))
    def test_what_was_pickled_decides_alike(self, happenings: list[Happening]) -> None:
        scheduler = self.scheduler()
        again = cloudpickle.loads(cloudpickle.dumps(scheduler))
        assert again.needs == scheduler.needs
        one, other = (Story(each, self.population(3)) for each in (scheduler, again))
        one.unfold(happenings)
        other.unfold(happenings)
        assert not difference(one.plans, other.plans)

    def test_it_warns_of_nothing_without_cause(self) -> None:
        scheduler = self.scheduler()
        assert list(scheduler.doubts({})) == []
        assert isinstance(scheduler.too_short(1.0), str)
